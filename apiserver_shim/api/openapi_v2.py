"""OpenAPI v2 in gnostic's protobuf form (openapi.v2 Document), which kubectl before 1.29 reads."""

from collections.abc import Mapping
from typing import Any

import yaml

from apiserver_shim.api.discovery import GIT_VERSION
from apiserver_shim.api.openapi import WRITE_PARAMETERS, item_path
from apiserver_shim.api.schemas import GVK, definitions, gvk
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.strategy import Strategy
from apiserver_shim.storage.wire import delimited, varint

# with dots: the form with an @ that clients ask for is no valid media type
CONTENT_TYPE = b"application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_DEFINITIONS = "#/definitions/"


def document() -> bytes:
    """Return the whole Document."""
    paths = b"".join(_field(2, _path(strategy)) for strategy in KINDS.values())
    info = _field(1, b"Kubernetes") + _field(2, GIT_VERSION.encode())
    schemas = b"".join(
        _field(1, _named(name, _schema(schema)))
        for name, schema in definitions(KINDS.values(), _DEFINITIONS).items()
    )
    return _field(1, b"2.0") + _field(2, info) + _field(8, paths) + _field(9, schemas)


def _path(strategy: Strategy) -> bytes:
    operation = (
        _field(5, f"patch{strategy.kind}".encode())
        + b"".join(_field(8, _parameter(name)) for name in WRITE_PARAMETERS)
        + _field(13, _extension(GVK, gvk(strategy)))
    )
    return _named(item_path(strategy), _field(8, operation))


def _parameter(name: str) -> bytes:
    query = _field(2, b"query") + _field(4, name.encode()) + _field(6, b"string")
    return _field(1, _field(2, _field(3, query)))


def _schema(schema: Mapping[str, Any]) -> bytes:
    parts = []
    for number, name in ((1, "$ref"), (2, "format"), (4, "description")):
        if schema.get(name):
            parts.append(_field(number, schema[name].encode()))
    parts += [_field(19, name.encode()) for name in schema.get("required", ())]
    if "additionalProperties" in schema:
        parts.append(_field(21, _field(1, _schema(schema["additionalProperties"]))))
    if "type" in schema:
        parts.append(_field(22, _field(1, schema["type"].encode())))
    if "items" in schema:
        parts.append(_field(23, _field(1, _schema(schema["items"]))))
    if "properties" in schema:
        fields = schema["properties"].items()
        named = b"".join(_field(1, _named(name, _schema(field))) for name, field in fields)
        parts.append(_field(25, named))
    parts += [_field(31, _extension(k, v)) for k, v in schema.items() if k.startswith("x-")]
    return b"".join(parts)


def _extension(name: str, value: Any) -> bytes:
    text = yaml.safe_dump(value, default_flow_style=False).removesuffix("...\n")
    return _named(name, _field(2, text.encode()))


def _named(name: str, value: bytes) -> bytes:
    return _field(1, name.encode()) + _field(2, value)


def _field(number: int, value: bytes) -> bytes:
    return delimited(varint(number << 3 | 2), value)
