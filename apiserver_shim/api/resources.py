"""The verbs on objects: from a request to the registry and back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from apiserver_shim.api import negotiation, status
from apiserver_shim.api.account_tokens import token_request
from apiserver_shim.api.answers import list_reply, object_reply, status_reply
from apiserver_shim.api.authentication import AuthMode
from apiserver_shim.api.authorization import authorize, forbidden
from apiserver_shim.api.escalation import escalation_check
from apiserver_shim.api.options import (
    check_patch_options,
    check_write_options,
    delete_options,
    field_validation,
    manager_of,
)
from apiserver_shim.api.patches import APPLY_PATCH, patch_change, patch_type
from apiserver_shim.api.request import ApiRequest, Reply, not_found_page
from apiserver_shim.api.status import StatusError
from apiserver_shim.api.watch import WatchStream
from apiserver_shim.errors import NotFoundError
from apiserver_shim.groups import RBAC
from apiserver_shim.objects import selectors
from apiserver_shim.objects.apply import Apply
from apiserver_shim.objects.decoding import (
    Change,
    FieldValidation,
    applying,
    decode_applied,
    decode_object,
    replacing,
    uid_conflict,
)
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.lists import (
    ListOptions,
    ListResult,
    every,
    list_objects,
    parse_revision,
)
from apiserver_shim.objects.metadata import timestamp
from apiserver_shim.objects.strategy import Strategy
from apiserver_shim.storage.store import Key

Object = dict[str, Any]
Verb = Callable[[ApiRequest, Strategy], Awaitable[Reply]]

UNSAFE_DELETE = "unsafe-delete-ignore-read-errors"

_SEGMENTS_REFUSED = frozenset((".", ".."))


class Resources:
    """Answers every request for objects."""

    def __init__(self, *, mode: AuthMode, now: Callable[[], datetime]) -> None:
        self._mode = mode
        self._now = now
        self._verbs: Mapping[str, Verb] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def __call__(self, request: ApiRequest) -> Reply | None:
        """Answer, or stream and return None."""
        info = request.info
        strategy = KINDS.get(info.resource) if info.version == "v1" else None
        if strategy is None or strategy.group != info.group or not _is_place(request, strategy):
            return not_found_page()
        if request.method == "HEAD" or not _is_verb(request, strategy):
            # HEAD: reads have a route for GET alone (endpoints/installer.go)
            raise StatusError(status.method_not_allowed(info.resource, info.verb))
        await request.cluster.ready()
        if strategy.group == RBAC:
            await request.cluster.roles.bootstrapped()
        if info.subresource == "token":
            return await token_request(request, self._now)
        if info.verb == "watch":
            stopping = request.scope.get("state", {}).get("stopping") or asyncio.Event()
            stream = WatchStream(request, _selector(request, strategy), now=self._now)
            await stream.run(stopping=stopping)
            return None
        return await self._verbs[info.verb](request, strategy)

    async def _get(self, request: ApiRequest, strategy: Strategy) -> Reply:
        revision = parse_revision(request.parameter("resourceVersion")) if request.query else 0
        obj = await request.cluster.registry.get(_key(request, strategy), revision=revision)
        return object_reply(request, strategy, obj, status=200, now=self._now)

    async def _list(self, request: ApiRequest, strategy: Strategy) -> Reply:
        if "sendInitialEvents" in request.query:
            raise BadRequestError("sendInitialEvents is forbidden for list")
        options = ListOptions(
            limit=max(request.number("limit") or 0, 0),
            continue_token=request.parameter("continue"),
            resource_version=request.parameter("resourceVersion"),
            match=request.parameter("resourceVersionMatch"),
        )
        selector = _selector(request, strategy)
        namespace = _namespace(request, strategy)
        found = await list_objects(request.cluster.store, selector, namespace, options)
        return list_reply(request, strategy, found, now=self._now)

    async def _create(self, request: ApiRequest, strategy: Strategy) -> Reply:
        dry_run = check_write_options(request, "CreateOptions")
        obj = await self._object(request, strategy)
        namespace = _namespace(request, strategy)
        meta = obj["metadata"]
        if namespace is not None:
            if meta.get("namespace", namespace) != namespace:
                raise BadRequestError(
                    "the namespace of the provided object does not match "
                    "the namespace sent on the request"
                )
            meta["namespace"] = namespace
        if check := await escalation_check(request, strategy, self._mode):
            check(obj, None)
        created = await request.cluster.registry.create(
            strategy,
            namespace,
            obj,
            manager=manager_of(request, strategy),
            dry_run=dry_run,
            run=request.run,
        )
        return object_reply(request, strategy, created, status=201, now=self._now)

    async def _update(self, request: ApiRequest, strategy: Strategy) -> Reply:
        dry_run = check_write_options(request, "UpdateOptions")
        obj = await self._object(request, strategy)
        _check_same_object(request, obj["metadata"], _namespace(request, strategy))
        try:
            updated = await request.cluster.registry.update(
                strategy,
                _key(request, strategy),
                await self._guarded(request, strategy, replacing(obj)),
                subresource=request.info.subresource,
                manager=manager_of(request, strategy),
                dry_run=dry_run,
                run=request.run,
            )
        except NotFoundError:
            wanted = obj["metadata"].get("uid")
            if wanted:
                raise uid_conflict(obj, wanted, "") from None
            raise
        return object_reply(request, strategy, updated, status=200, now=self._now)

    async def _patch(self, request: ApiRequest, strategy: Strategy) -> Reply:
        media_type = patch_type(request.header(b"content-type"))
        if media_type == APPLY_PATCH:
            return await self._apply(request, strategy)
        dry_run = check_patch_options(request, apply=False)
        validation = FieldValidation(field_validation(request), warnings=request.warnings)
        body = await request.body()
        change = await request.run(lambda: patch_change(strategy, body, media_type, validation))
        patched = await request.cluster.registry.update(
            strategy,
            _key(request, strategy),
            await self._guarded(request, strategy, change),
            subresource=request.info.subresource,
            manager=manager_of(request, strategy),
            dry_run=dry_run,
            run=request.run,
        )
        return object_reply(request, strategy, patched, status=200, now=self._now)

    async def _apply(self, request: ApiRequest, strategy: Strategy) -> Reply:
        dry_run = check_patch_options(request, apply=True)
        validation = FieldValidation(field_validation(request), warnings=request.warnings)
        body, key = await request.body(), _key(request, strategy)
        config = await request.run(
            lambda: decode_applied(
                strategy,
                negotiation.decode_yaml(body, strategy.kind).value,
                namespace=key.namespace,
                name=key.name,
                validation=validation,
            )
        )
        manager = manager_of(request, strategy, "Apply")
        apply = Apply(config, manager, force=request.flag("force"))
        change = applying(strategy, apply, timestamp(self._now()))
        creating = replace(request.info, verb="create")
        may_create = await authorize(self._mode, request.user, creating, request.cluster)

        def applied_to(live: Object) -> Object:
            # what is not there yet has no uid; to make it takes more than to patch
            if not may_create.allowed and not live["metadata"].get("uid"):
                raise forbidden(request.user, creating, may_create.reason)
            return change(live)

        applied, new = await request.cluster.registry.apply(
            strategy,
            key,
            await self._guarded(request, strategy, applied_to),
            subresource=request.info.subresource,
            admit_create=lambda: self._admit(request, "create"),
            dry_run=dry_run,
            run=request.run,
        )
        code = 201 if new else 200
        return object_reply(request, strategy, applied, status=code, now=self._now)

    async def _delete(self, request: ApiRequest, strategy: Strategy) -> Reply:
        options = await delete_options(request)
        key = _key(request, strategy)
        if options.unread and request.cluster.spec.version.allows_unsafe_deletion:
            return await self._delete_unread(request, strategy, key, dry_run=options.dry_run)
        deleted = await request.cluster.registry.delete(strategy, key, options)
        if deleted.gone and not strategy.returns_deleted_object:
            uid = deleted.obj["metadata"].get("uid", "")
            return status_reply(request, status.deleted(key.resource, key.name, uid), 200)
        return object_reply(request, strategy, deleted.obj, status=200, now=self._now)

    async def _admit(self, request: ApiRequest, verb: str) -> None:
        """Ask for a permission beyond the one of the request's own verb."""
        info = replace(request.info, verb=verb)
        decision = await authorize(self._mode, request.user, info, request.cluster)
        if not decision.allowed:
            raise forbidden(request.user, info, decision.reason)

    async def _delete_unread(
        self, request: ApiRequest, strategy: Strategy, key: Key, *, dry_run: bool
    ) -> Reply:
        """Remove what cannot be read, past finalizers and preconditions."""
        await self._admit(request, UNSAFE_DELETE)
        await request.cluster.registry.delete_unread(key, dry_run=dry_run)
        return status_reply(request, status.deleted(strategy.kind, key.name, ""), 200)

    async def _delete_collection(self, request: ApiRequest, strategy: Strategy) -> Reply:
        options = await delete_options(request, collection=True)
        selector = _selector(request, strategy)
        cluster, gone = request.cluster, []
        async for found in every(cluster.store, selector, _namespace(request, strategy)):
            deleted = await cluster.registry.delete_found(strategy, found, options)
            if deleted is not None:
                gone.append(deleted.obj)
        revision = await cluster.store.latest_revision(strategy.resource)
        return list_reply(request, strategy, ListResult(gone, revision), now=self._now)

    async def _guarded(self, request: ApiRequest, strategy: Strategy, change: Change) -> Change:
        """Return ``change`` unless it grants what the user does not have."""
        check = await escalation_check(request, strategy, self._mode)
        if check is None:
            return change

        def guarded(old: Object) -> Object:
            new = change(old)
            check(new, old)
            return new

        return guarded

    async def _object(self, request: ApiRequest, strategy: Strategy) -> Object:
        validation = FieldValidation(field_validation(request), warnings=request.warnings)
        body, content_type = await request.body(), request.header(b"content-type")

        def decode() -> Object:
            if negotiation.is_yaml(content_type):
                parsed, validation.repeated = negotiation.decode_yaml(body, strategy.kind)
            else:
                parsed = negotiation.decode(body, content_type, strategy.kind)
            if negotiation.is_json(content_type):
                validation.duplicates = negotiation.duplicate_fields(body, parsed)
            return decode_object(strategy, parsed, validation)

        return await request.run(decode)


def _is_place(request: ApiRequest, strategy: Strategy) -> bool:
    """Tell whether the path is one that this kind has."""
    info = request.info
    name = "" if info.selected else info.name
    if info.extra or (info.subresource and info.subresource not in strategy.subresources):
        return False
    if info.name in _SEGMENTS_REFUSED or info.namespace in _SEGMENTS_REFUSED:
        return False
    if "%" in info.name or "%" in info.namespace:
        return False
    if strategy.namespaced:
        return bool(info.namespace) or not name
    # a request for one Namespace is in it, as upstream has it
    return info.namespace == (name if strategy.resource == "namespaces" else "")


def _is_verb(request: ApiRequest, strategy: Strategy) -> bool:
    info = request.info
    if info.subresource:
        return info.verb in strategy.subresources[info.subresource]
    if info.verb not in strategy.verbs:
        return False
    if info.verb in {"create", "deletecollection"}:
        return not info.name and (bool(info.namespace) or not strategy.namespaced)
    return bool(info.name) or info.verb in {"list", "watch"}


def _namespace(request: ApiRequest, strategy: Strategy) -> str | None:
    return request.info.namespace or None if strategy.namespaced else None


def _key(request: ApiRequest, strategy: Strategy) -> Key:
    return Key(strategy.resource, _namespace(request, strategy), request.info.name)


def _selector(request: ApiRequest, strategy: Strategy) -> selectors.Selector:
    fields = request.parameter("fieldSelector")
    if request.info.verb == "watch" and request.info.name and not request.info.selected:
        named = f"metadata.name={request.info.name}"
        fields = f"{named},{fields}" if fields else named
    return selectors.parse(strategy, labels=request.parameter("labelSelector"), fields=fields)


def _check_same_object(request: ApiRequest, meta: Object, namespace: str | None) -> None:
    name = meta.get("name", "")
    if not name:
        raise BadRequestError(
            f"the name of the object ({request.info.name} based on URL) was undeterminable: "
            "name must be provided"
        )
    if name != request.info.name:
        raise BadRequestError(
            f"the name of the object ({name}) does not match "
            f"the name on the URL ({request.info.name})"
        )
    if namespace is None:
        return
    found = meta.setdefault("namespace", namespace)
    if found != namespace:
        raise BadRequestError(
            f"the namespace of the object ({found}) does not match "
            f"the namespace on the request ({namespace})"
        )
