"""OpenAPI, as little as kubectl needs to trust the server's own field validation.

It looks for a PATCH operation with the kind's GroupVersionKind and a ``fieldValidation``
parameter. v2 is gnostic's protobuf form, v3 is JSON.
"""

from collections.abc import Iterable
from typing import Any

from apiserver_shim.api.discovery import GIT_VERSION
from apiserver_shim.objects.strategy import Strategy

Object = dict[str, Any]

# with dots: the form with an @ that clients ask for is no valid media type
V2_CONTENT_TYPE = b"application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
V3_URL = "/openapi/v3/api/v1"

_GVK = "x-kubernetes-group-version-kind"
_V2_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_V3_PARAMETERS = (*_V2_PARAMETERS, "force")


def item_path(strategy: Strategy) -> str:
    middle = "/namespaces/{namespace}" if strategy.namespaced else ""
    base = f"/apis/{strategy.group}/v1" if strategy.group else "/api/v1"
    return f"{base}{middle}/{strategy.resource}/{{name}}"


def v2(strategies: Iterable[Strategy]) -> bytes:
    """Return the gnostic openapi.v2 Document."""
    paths = b"".join(_field(2, _v2_path(strategy)) for strategy in strategies)
    info = _field(1, b"Kubernetes") + _field(2, GIT_VERSION.encode())
    return _field(1, b"2.0") + _field(2, info) + _field(8, paths) + _field(9, b"")


def _v2_path(strategy: Strategy) -> bytes:
    gvk = f'group: "{strategy.group}"\nkind: {strategy.kind}\nversion: v1\n'.encode()
    extension = _field(1, _GVK.encode()) + _field(2, _field(2, gvk))
    operation = (
        _field(5, f"patch{strategy.kind}".encode())
        + b"".join(_field(8, _v2_parameter(name)) for name in _V2_PARAMETERS)
        + _field(13, extension)
    )
    return _field(1, item_path(strategy).encode()) + _field(2, _field(8, operation))


def _v2_parameter(name: str) -> bytes:
    query = _field(2, b"query") + _field(4, name.encode()) + _field(6, b"string")
    return _field(1, _field(2, _field(3, query)))


def _field(number: int, value: bytes) -> bytes:
    """Encode one length-delimited protobuf field."""
    size, length = len(value), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | 2]) + bytes(length) + value


def v3_index(base: str) -> Object:
    url = f"{base}{V3_URL}?hash={GIT_VERSION}"
    return {"paths": {"api/v1": {"serverRelativeURL": url}}}


def v3(strategies: Iterable[Strategy]) -> Object:
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": GIT_VERSION},
        "paths": {item_path(strategy): _v3_path(strategy) for strategy in strategies},
        "components": {"schemas": {}},
    }


def _v3_path(strategy: Strategy) -> Object:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}} for name in _V3_PARAMETERS
    ]
    return {
        "patch": {
            "operationId": f"patch{strategy.kind}",
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            _GVK: {"group": strategy.group, "version": "v1", "kind": strategy.kind},
        }
    }
