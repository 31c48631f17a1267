"""A configuration file of Kubernetes before its kind is known: YAML or JSON, version and kind.

After apimachinery's runtime/serializer (json.go, recognizer.go).
"""

import re
from typing import Any, NamedTuple

from apiserver_shim import go_syntax, yaml_json
from apiserver_shim.encryption import go_json
from apiserver_shim.encryption.go_json import Pairs
from apiserver_shim.encryption.go_structs import STRING, Decoder, Struct, json_type, pairs_of
from apiserver_shim.errors import EncryptionConfigError, YamlError

_KIND = {"apiVersion": STRING, "kind": STRING}
_GO_KIND = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; '
    r'Kind string "json:\"kind,omitempty\"" }'
)
_NO_KIND = "couldn't get version/kind; json parse error: "


class Manifest(NamedTuple):
    """What a file holds. ``repeated`` is the strict reader's fault with its YAML, "" when none."""

    group: str
    version: str
    kind: str
    value: Any
    repeated: str


def read(data: bytes) -> Manifest:
    """Read a file's first document; raises EncryptionConfigError."""
    value, repeated = _decoded(data)
    decoder = Decoder()
    if value is not None and json_type(value) != "object":
        raise EncryptionConfigError(
            f"{_NO_KIND}json: cannot unmarshal {json_type(value)} into Go value of type {_GO_KIND}"
        )
    found = decoder.decode(_folded(value), Struct("", _KIND))
    if decoder.misfit:
        raise EncryptionConfigError(_NO_KIND + decoder.misfit)
    api_version, kind = found.get("apiVersion") or "", found.get("kind") or ""
    if api_version.count("/") > 1:
        raise EncryptionConfigError(f"unexpected GroupVersion string: {api_version}")
    group, _, version = api_version.rpartition("/")
    for name, missing in ("Kind", not kind), ("apiVersion", not version):
        if missing:
            # upstream shows the whole file, with the keys in it
            raise EncryptionConfigError(f"Object '{name}' is missing in 'REDACTED'")
    return Manifest(group, version, kind, value, repeated)


def _folded(value: Any) -> Pairs:
    """Return the fields with version and kind however they are written: only later is it strict."""
    known = {name.lower(): name for name in _KIND}
    found = pairs_of(value or {})
    return Pairs((known.get(name.lower(), name), field) for name, field in found if field)


def unregistered(manifest: Manifest) -> EncryptionConfigError:
    """Return what upstream says of a version and kind that it does not have."""
    group = f"{manifest.group}/" if manifest.group else ""
    return EncryptionConfigError(
        f"no kind {go_syntax.quoted(manifest.kind)} is registered for version "
        f'{go_syntax.quoted(group + manifest.version)} in scheme "pkg/runtime/scheme.go:111"'
    )


def _decoded(data: bytes) -> yaml_json.Converted:
    # what begins like JSON is JSON alone, flow mappings of YAML included
    if re.match(rb"\s*\{", data):
        try:
            return yaml_json.Converted(go_json.loads(data), "")
        except ValueError as error:
            raise EncryptionConfigError(f"{_NO_KIND}{error}") from None
    try:
        return yaml_json.to_json(data)
    except YamlError as error:
        raise EncryptionConfigError(error.message) from None
