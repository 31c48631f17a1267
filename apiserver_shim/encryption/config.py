"""The EncryptionConfiguration file (apiserver.config.k8s.io/v1), decoded strictly.

Load wrappers and messages are those of k8s.io/apiserver server/options/encryptionconfig.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from apiserver_shim import go_base64
from apiserver_shim.encryption.go_structs import DURATION, INT32, STRING, Decoder, ListOf, Struct
from apiserver_shim.encryption.manifest import Manifest, read, unregistered
from apiserver_shim.errors import EncryptionConfigError

Fields = Mapping[str, Any]

_GROUP = "apiserver.config.k8s.io"
_KINDS = ((_GROUP, "v1", "EncryptionConfiguration"), ("", "v1", "EncryptionConfig"))
# what else a server is configured with in version v1 of this group
_OTHERS = tuple(
    f"{what}Configuration" for what in ("Admission", "Authentication", "Authorization", "Tracing")
)
_DEFAULT_CACHE_SIZE = 1000
_DEFAULT_TIMEOUT = 3_000_000_000

_KEYS = ListOf(Struct("Key", {"name": STRING, "secret": STRING}))
_AES = Struct("AESConfiguration", {"keys": _KEYS})
_SECRETBOX = Struct("SecretboxConfiguration", {"keys": _KEYS})
_KMS = Struct(
    "KMSConfiguration",
    {
        "apiVersion": STRING,
        "name": STRING,
        "cachesize": INT32,
        "endpoint": STRING,
        "timeout": DURATION,
    },
)
_PROVIDER = Struct(
    "ProviderConfiguration",
    {
        "aesgcm": _AES,
        "aescbc": _AES,
        "secretbox": _SECRETBOX,
        "identity": Struct("IdentityConfiguration", {}),
        "kms": _KMS,
    },
)
_RULE = Struct(
    "ResourceConfiguration", {"resources": ListOf(STRING), "providers": ListOf(_PROVIDER)}
)
_CONFIGURATION = Struct(
    "EncryptionConfiguration",
    {"apiVersion": STRING, "kind": STRING, "resources": ListOf(_RULE)},
)


class GroupResource(NamedTuple):
    """A resource and its group, each of which may be ``*``; the core group is ""."""

    resource: str
    group: str

    @classmethod
    def parse(cls, name: str) -> "GroupResource":
        """Read ``secrets``, ``deployments.apps``, ``*.apps``, ``*.`` or ``*.*``."""
        resource, _, group = name.partition(".")
        return cls(resource, group)

    def __str__(self) -> str:
        everything_in_core = self.resource == "*" and not self.group
        return (
            f"{self.resource}.{self.group}" if self.group or everything_in_core else self.resource
        )


EVERYTHING = GroupResource("*", "*")


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key in the file; ``secret`` is base64."""

    name: str
    secret: str = field(repr=False)

    def decoded(self) -> bytes:
        """Return the key's bytes; raises ValueError."""
        return go_base64.decode(self.secret)


@dataclass(frozen=True, slots=True)
class KmsProvider:
    """A KMS plugin; ``cache_size`` is for v1 only."""

    api_version: str
    name: str
    endpoint: str
    cache_size: int | None
    timeout_ns: int

    @property
    def timeout(self) -> float:
        """Return the timeout in seconds."""
        return self.timeout_ns / 1e9


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
        manifest = read(data)
        is_other = (manifest.group, manifest.version) == (_GROUP, "v1") and manifest.kind in _OTHERS
        configuration = None if is_other else _decode(manifest)
    except EncryptionConfigError as error:
        raise EncryptionConfigError(
            f'error decoding encryption provider configuration file "{path}": {error}'
        ) from None
    if configuration is None:
        raise EncryptionConfigError(
            f"got unexpected config type: {_GROUP}/v1, Kind={manifest.kind}"
        )
    return Loaded(configuration, digest(data))


def digest(data: bytes) -> str:
    """Return the hash by which a change of the file is noticed."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parse(data: bytes) -> EncryptionConfiguration:
    """Decode YAML or JSON; unknown and repeated fields are errors."""
    return _decode(read(data))


def _decode(manifest: Manifest) -> EncryptionConfiguration:
    if (manifest.group, manifest.version, manifest.kind) not in _KINDS:
        raise unregistered(manifest)
    decoder = Decoder()
    fields = decoder.decode(manifest.value, _CONFIGURATION)
    decoder.check(manifest.repeated)
    rules = fields.get("resources") or ()
    return EncryptionConfiguration(tuple(_rule(rule or {}) for rule in rules))


def _rule(fields: Fields) -> ResourceRule:
    return ResourceRule(
        tuple(name or "" for name in fields.get("resources") or ()),
        tuple(_provider(one or {}) for one in fields.get("providers") or ()),
    )


def _provider(fields: Fields) -> Provider:
    kms = fields.get("kms")
    return Provider(
        kms=None if kms is None else _kms(kms),
        aesgcm=_keys(fields.get("aesgcm")),
        aescbc=_keys(fields.get("aescbc")),
        secretbox=_keys(fields.get("secretbox")),
        identity=fields.get("identity") is not None,
    )


def _kms(fields: Fields) -> KmsProvider:
    api_version = fields.get("apiVersion") or "v1"
    cache_size = fields.get("cachesize")
    if cache_size is None and api_version == "v1":
        cache_size = _DEFAULT_CACHE_SIZE
    timeout = fields.get("timeout")
    return KmsProvider(
        api_version=api_version,
        name=fields.get("name") or "",
        endpoint=fields.get("endpoint") or "",
        cache_size=cache_size,
        timeout_ns=_DEFAULT_TIMEOUT if timeout is None else timeout,
    )


def _keys(fields: Fields | None) -> tuple[NamedKey, ...] | None:
    if fields is None:
        return None
    keys = [key or {} for key in fields.get("keys") or ()]
    return tuple(NamedKey(key.get("name") or "", key.get("secret") or "") for key in keys)
