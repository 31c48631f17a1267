"""Query parameters and DeleteOptions, checked as upstream checks them."""

from collections.abc import Sequence
from typing import Any

from apiserver_shim.api import negotiation
from apiserver_shim.api.request import ApiRequest
from apiserver_shim.objects.errors import (
    BadRequestError,
    FieldError,
    InvalidError,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from apiserver_shim.objects.managedfields import MANAGER_LIMIT, Manager, manager_name
from apiserver_shim.objects.registry import DeleteOptions
from apiserver_shim.objects.strategy import Strategy

_VALIDATIONS = ("Ignore", "Strict", "Warn")
_UNREAD = "ignoreStoreReadErrorWithClusterBreakingPotential"
_PROPAGATIONS = ("Background", "Foreground", "Orphan")


def check_write_options(request: ApiRequest, kind: str, more: Sequence[FieldError] = ()) -> bool:
    """Refuse what a write cannot take, and for ``more``; returns whether it is a dry run."""
    query = request.query
    if not query and not more:
        return False
    dry_run = query.get("dryRun", [])
    found = _dry_run(dry_run)
    if len(request.parameter("fieldManager").encode()) > MANAGER_LIMIT:
        found.append(too_long("fieldManager", MANAGER_LIMIT))
    validation = request.parameter("fieldValidation")
    if validation and validation not in _VALIDATIONS:
        found.append(not_supported("fieldValidation", validation, _VALIDATIONS))
    found += more
    if found:
        raise InvalidError(kind, "", found, group="meta.k8s.io")
    return bool(dry_run)


def check_patch_options(request: ApiRequest, *, apply: bool) -> bool:
    """Refuse what a patch cannot take; returns whether it is a dry run."""
    found = []
    if apply and not request.parameter("fieldManager"):
        found.append(required("fieldManager", "is required for apply patch"))
    if not apply and "force" in request.query:
        found.append(forbidden("force", "may not be specified for non-apply patch"))
    return check_write_options(request, "PatchOptions", found)


def manager_of(request: ApiRequest, strategy: Strategy, operation: str = "Update") -> Manager:
    """Return whose the fields are that the request sets."""
    name = manager_name(request.parameter("fieldManager"), request.header(b"user-agent"))
    return Manager(name, operation, request.info.subresource, strategy.api_version)


def field_validation(request: ApiRequest) -> str:
    return request.parameter("fieldValidation") or "Warn"


async def delete_options(request: ApiRequest, *, collection: bool = False) -> DeleteOptions:
    """Read DeleteOptions from the body or, when there is none, from the query."""
    body = await request.body()
    if body:
        media_type = request.header(b"content-type")
        options = await request.run(lambda: negotiation.decode(body, media_type, "DeleteOptions"))
        if not isinstance(options, dict) or options.get("kind", "DeleteOptions") != "DeleteOptions":
            raise BadRequestError("decoded object cannot be converted to DeleteOptions")
    else:
        options = _from_query(request)
    dry_run = options.get("dryRun") or []
    preconditions = options.get("preconditions") or {}
    if not isinstance(dry_run, list) or not isinstance(preconditions, dict):
        raise BadRequestError("json: cannot unmarshal into Go struct DeleteOptions")
    if found := [
        *_dry_run(dry_run),
        *_propagation(options),
        *_unread(options, collection=collection),
    ]:
        raise InvalidError("DeleteOptions", "", found, group="meta.k8s.io")
    return DeleteOptions(
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run=bool(dry_run),
        unread=options.get(_UNREAD) is True,
    )


def _from_query(request: ApiRequest) -> dict[str, Any]:
    options: dict[str, Any] = {"dryRun": request.query.get("dryRun", [])}
    request.number("gracePeriodSeconds")
    if policy := request.parameter("propagationPolicy"):
        options["propagationPolicy"] = policy
    if _UNREAD in request.query:
        options[_UNREAD] = request.flag(_UNREAD)
    if "orphanDependents" in request.query:
        options["orphanDependents"] = request.flag("orphanDependents")
    return options


def _dry_run(values: list[Any]) -> list[FieldError]:
    if all(value == "All" for value in values):
        return []
    listed = ", ".join(f'"{value}"' for value in values)
    body = f'Unsupported value: []string{{{listed}}}: supported values: "All"'
    return [FieldError("dryRun", "FieldValueNotSupported", body)]


def _unread(options: dict[str, Any], *, collection: bool) -> list[FieldError]:
    if options.get(_UNREAD) is not True:
        return []
    if collection:
        detail = "is not allowed with DELETECOLLECTION, try again after removing the option"
        return [invalid(_UNREAD, True, detail)]
    others = ("preconditions", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
    return [
        invalid(_UNREAD, True, f"cannot be set together with .{other}")
        for other in others
        if options.get(other) is not None
    ]


def _propagation(options: dict[str, Any]) -> list[FieldError]:
    policy = options.get("propagationPolicy")
    if policy is None:
        return []
    if options.get("orphanDependents") is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        return [invalid("propagationPolicy", policy, detail)]
    if policy not in _PROPAGATIONS:
        return [not_supported("propagationPolicy", str(policy), (*_PROPAGATIONS, "nil"))]
    return []
