"""OpenAPI v3: enough to explain fields, to compute patches, and to try every operation.

kubectl also looks for a PATCH operation with the kind's GroupVersionKind and a
``fieldValidation`` parameter; then it trusts the server's own validation.
"""

from collections.abc import Iterable
from typing import Any

from apiserver_shim.api.discovery import GIT_VERSION
from apiserver_shim.api.negotiation import PATCH_TYPES
from apiserver_shim.api.schemas import GVK, definition_name, definitions, gvk
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.strategy import Strategy

Object = dict[str, Any]

PREFIX = "/openapi/v3/"
WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")

_SCHEMAS = "#/components/schemas/"
_LIST_PARAMETERS = {
    "continue": "string",
    "fieldSelector": "string",
    "labelSelector": "string",
    "limit": "integer",
    "resourceVersion": "string",
    "resourceVersionMatch": "string",
}
_DELETE_PARAMETERS = {
    "dryRun": "string",
    "gracePeriodSeconds": "integer",
    "propagationPolicy": "string",
}


def group_paths() -> dict[str, str]:
    """Return the groups of stored kinds by their path, such as ``api/v1``."""
    groups = {strategy.group for strategy in KINDS.values()}
    return {f"apis/{group}/v1" if group else "api/v1": group for group in sorted(groups)}


def collection_path(strategy: Strategy) -> str:
    middle = "/namespaces/{namespace}" if strategy.namespaced else ""
    base = f"/apis/{strategy.group}/v1" if strategy.group else "/api/v1"
    return f"{base}{middle}/{strategy.resource}"


def item_path(strategy: Strategy) -> str:
    return f"{collection_path(strategy)}/{{name}}"


def v3_index(base: str) -> Object:
    return {
        "paths": {
            path: {"serverRelativeURL": f"{base}{PREFIX}{path}?hash={GIT_VERSION}"}
            for path in group_paths()
        }
    }


def v3(group: str) -> Object:
    """Return the document of one group."""
    strategies = [strategy for strategy in KINDS.values() if strategy.group == group]
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": GIT_VERSION},
        "paths": dict(_paths(strategies)),
        "components": {"schemas": definitions(strategies, _SCHEMAS)},
    }


def _paths(strategies: Iterable[Strategy]) -> Iterable[tuple[str, Object]]:
    for strategy in strategies:
        yield collection_path(strategy), _collection(strategy)
        yield item_path(strategy), _item(strategy)


def _collection(strategy: Strategy) -> Object:
    kind = strategy.kind
    body = _content(strategy, ("application/json",))
    operations = {
        "get": _operation(strategy, f"list{kind}", _LIST_PARAMETERS, of=f"{kind}List"),
        "post": {**_operation(strategy, f"create{kind}", _write(), code=201), "requestBody": body},
    }
    return {"parameters": _path_parameters(strategy, "namespace"), **operations}


def _item(strategy: Strategy) -> Object:
    kind = strategy.kind
    patching = {"required": True, "content": {one: {"schema": {}} for one in PATCH_TYPES}}
    operations = {
        "get": _operation(strategy, f"read{kind}", {"resourceVersion": "string"}),
        "put": {
            **_operation(strategy, f"replace{kind}", _write()),
            "requestBody": _content(strategy, ("application/json",)),
        },
        "patch": {
            **_operation(strategy, f"patch{kind}", {**_write(), "force": "boolean"}),
            "requestBody": patching,
        },
        "delete": _operation(strategy, f"delete{kind}", _DELETE_PARAMETERS, of=""),
    }
    return {"parameters": _path_parameters(strategy, "namespace", "name"), **operations}


def _write() -> dict[str, str]:
    return dict.fromkeys(WRITE_PARAMETERS, "string")


def _operation(
    strategy: Strategy,
    name: str,
    parameters: dict[str, str],
    *,
    code: int = 200,
    of: str | None = None,
) -> Object:
    kind = strategy.kind if of is None else of
    answer: Object = {"description": "OK"}
    if kind:
        schema = {"$ref": f"{_SCHEMAS}{definition_name(kind, strategy.group)}"}
        answer["content"] = {"application/json": {"schema": schema}}
    return {
        "operationId": name,
        "parameters": [
            {"name": parameter, "in": "query", "schema": {"type": kind}}
            for parameter, kind in parameters.items()
        ],
        "responses": {str(code): answer},
        GVK: gvk(strategy),
    }


def _content(strategy: Strategy, media_types: Iterable[str]) -> Object:
    schema = {"$ref": f"{_SCHEMAS}{definition_name(strategy.kind, strategy.group)}"}
    return {"required": True, "content": {one: {"schema": schema} for one in media_types}}


def _path_parameters(strategy: Strategy, *names: str) -> list[Object]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
        if strategy.namespaced or name != "namespace"
    ]
