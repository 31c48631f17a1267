"""The EncryptionConfiguration file (apiserver.config.k8s.io/v1), decoded strictly.

Load wrappers and messages are those of k8s.io/apiserver server/options/encryptionconfig.
"""

import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from apiserver_shim import yaml_json
from apiserver_shim.errors import EncryptionConfigError, YamlError

_API_VERSION = "apiserver.config.k8s.io/v1"
_KIND = "EncryptionConfiguration"
_DEFAULT_CACHE_SIZE = 1000
_DEFAULT_TIMEOUT = 3.0
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key in the file; ``secret`` is base64."""

    name: str
    secret: str = field(repr=False)

    def decoded(self) -> bytes:
        """Return the key's bytes as Go's decoder does, which skips line breaks; or ValueError."""
        joined = self.secret.replace("\r", "").replace("\n", "")
        return binascii.a2b_base64(joined, strict_mode=True)


@dataclass(frozen=True, slots=True)
class KmsProvider:
    """A KMS plugin; ``cache_size`` is for v1 only, ``timeout`` in seconds."""

    api_version: str
    name: str
    endpoint: str
    cache_size: int | None
    timeout: float


@dataclass(frozen=True, slots=True)
class Provider:
    """One element of ``providers``; a valid one has exactly one member."""

    kms: KmsProvider | None = None
    aesgcm: tuple[NamedKey, ...] | None = None
    aescbc: tuple[NamedKey, ...] | None = None
    secretbox: tuple[NamedKey, ...] | None = None
    identity: bool = False

    def named(self) -> tuple[str, ...]:
        """Return which members are set."""
        members = ("kms", "aesgcm", "aescbc", "secretbox", "identity")
        return tuple(name for name in members if getattr(self, name) not in {None, False})


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """Which providers serve which resources."""

    resources: tuple[str, ...]
    providers: tuple[Provider, ...]


class EncryptionConfiguration(NamedTuple):
    """The file's rules, in order."""

    resources: tuple[ResourceRule, ...]


class Loaded(NamedTuple):
    """A configuration and the hash of its file."""

    configuration: EncryptionConfiguration
    digest: str


def load(path: Path) -> Loaded:
    """Read and decode ``path`` without validating it; raises EncryptionConfigError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EncryptionConfigError(
            "error while loading file: error reading encryption provider configuration file "
            f'"{path}": open {path}: {reason}'
        ) from None
    if not data:
        raise EncryptionConfigError(
            f'error while loading file: encryption provider configuration file "{path}" is empty'
        )
    try:
        configuration = parse(data)
    except EncryptionConfigError as error:
        raise EncryptionConfigError(
            f'error decoding encryption provider configuration file "{path}": {error}'
        ) from None
    return Loaded(configuration, digest(data))


def digest(data: bytes) -> str:
    """Return the hash by which a change of the file is noticed."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parse(data: bytes) -> EncryptionConfiguration:
    """Decode YAML or JSON; unknown and duplicate fields are errors."""
    try:
        document, repeated = yaml_json.to_json(data)
    except YamlError as error:
        raise EncryptionConfigError(error.message) from None
    if repeated:
        raise EncryptionConfigError(f"strict decoding error: {repeated}")
    fields = _fields(document, "", {"apiVersion", "kind", "resources"})
    version, kind = fields.get("apiVersion"), fields.get("kind")
    if (version, kind) != (_API_VERSION, _KIND):
        raise EncryptionConfigError(f"got unexpected config type: {version}, Kind={kind}")
    rules = _elements(fields.get("resources"), "resources")
    return EncryptionConfiguration(
        tuple(_rule(rule, f"resources[{index}]") for index, rule in enumerate(rules))
    )


def _rule(value: Any, path: str) -> ResourceRule:
    fields = _fields(value, path, {"resources", "providers"})
    resources = _elements(fields.get("resources"), f"{path}.resources")
    providers = _elements(fields.get("providers"), f"{path}.providers")
    return ResourceRule(
        tuple(_text(name, f"{path}.resources[{i}]") for i, name in enumerate(resources)),
        tuple(_provider(one, f"{path}.providers[{i}]") for i, one in enumerate(providers)),
    )


def _provider(value: Any, path: str) -> Provider:
    fields = _fields(value, path, {"kms", "aesgcm", "aescbc", "secretbox", "identity"})
    identity = fields.get("identity")
    if identity is not None:
        _fields(identity, f"{path}.identity", set())
    kms = fields.get("kms")
    return Provider(
        kms=None if kms is None else _kms(kms, f"{path}.kms"),
        aesgcm=_keys(fields.get("aesgcm"), f"{path}.aesgcm"),
        aescbc=_keys(fields.get("aescbc"), f"{path}.aescbc"),
        secretbox=_keys(fields.get("secretbox"), f"{path}.secretbox"),
        identity=identity is not None,
    )


def _kms(value: Any, path: str) -> KmsProvider:
    fields = _fields(value, path, {"apiVersion", "name", "endpoint", "cachesize", "timeout"})
    api_version = _text(fields.get("apiVersion"), f"{path}.apiVersion") or "v1"
    cache_size = fields.get("cachesize")
    if cache_size is None:
        cache_size = _DEFAULT_CACHE_SIZE if api_version == "v1" else None
    elif not isinstance(cache_size, int) or isinstance(cache_size, bool):
        raise _mismatch(f"{path}.cachesize", "int32")
    timeout = fields.get("timeout")
    return KmsProvider(
        api_version=api_version,
        name=_text(fields.get("name"), f"{path}.name"),
        endpoint=_text(fields.get("endpoint"), f"{path}.endpoint"),
        cache_size=cache_size,
        timeout=_DEFAULT_TIMEOUT if timeout is None else _seconds(timeout, f"{path}.timeout"),
    )


def _keys(value: Any, path: str) -> tuple[NamedKey, ...] | None:
    if value is None:
        return None
    keys = []
    for index, key in enumerate(_elements(_fields(value, path, {"keys"}).get("keys"), path)):
        at = f"{path}.keys[{index}]"
        fields = _fields(key, at, {"name", "secret"})
        name, secret = (_text(fields.get(one), f"{at}.{one}") for one in ("name", "secret"))
        keys.append(NamedKey(name, secret))
    return tuple(keys)


def _fields(value: Any, path: str, known: set[str]) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _mismatch(path, "object")
    for name in value:
        if name not in known:
            full = f"{path}.{name}" if path else str(name)
            raise EncryptionConfigError(f'strict decoding error: unknown field "{full}"')
    return value


def _elements(value: Any, path: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _mismatch(path, "array")
    return value


def _text(value: Any, path: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _mismatch(path, "string")
    return value


def _seconds(value: Any, path: str) -> float:
    text = _text(value, path)
    sign, magnitude = (-1, text[1:]) if text.startswith("-") else (1, text)
    if magnitude == "0":
        return 0.0
    parts = _DURATION.findall(magnitude)
    if not parts or "".join(number + unit for number, unit in parts) != magnitude:
        raise EncryptionConfigError(f'time: invalid duration "{text}"')
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def _mismatch(path: str, expected: str) -> EncryptionConfigError:
    return EncryptionConfigError(
        f"json: cannot unmarshal field {path} into a value of type {expected}"
    )
