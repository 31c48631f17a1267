"""Lists: pages, continue tokens, and what a resourceVersion means on a list.

After k8s.io/apiserver storage/etcd3 and storage/continue.go.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, NamedTuple

from apiserver_shim.errors import CompactedError, FutureRevisionError, NotFoundError
from apiserver_shim.objects.errors import (
    BadRequestError,
    ExpiredContinueError,
    FieldError,
    InvalidError,
    forbidden,
    invalid,
    not_supported,
)
from apiserver_shim.objects.selectors import Selector
from apiserver_shim.storage import continue_token
from apiserver_shim.storage.continue_token import ContinueToken
from apiserver_shim.storage.store import Key, Page, Store, StoredObject

Object = dict[str, Any]

PAGE_SIZE = 500
PAGE_SIZE_LIMIT = 10_000
_LATEST = -1  # a token that goes on at whatever revision is newest


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The query parameters of a list, as sent."""

    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    match: str = ""

    def check(self) -> None:
        """Refuse contradictions; raises InvalidError."""
        at, found = "resourceVersionMatch", list[FieldError]()
        if self.match:
            if not self.resource_version:
                detail = f"{at} is forbidden unless resourceVersion is provided"
                found.append(forbidden(at, detail))
            if self.continue_token:
                found.append(forbidden(at, f"{at} is forbidden when continue is provided"))
            if self.match not in {"Exact", "NotOlderThan"}:
                found.append(not_supported(at, self.match, ("Exact", "NotOlderThan", "")))
            if self.match == "Exact" and self.resource_version == "0":
                detail = f'{at} "exact" is forbidden for resourceVersion "0"'
                found.append(forbidden(at, detail))
        if found:
            raise InvalidError("ListOptions", "", found, group="meta.k8s.io")


class ListResult(NamedTuple):
    """Objects at ``revision``; ``remaining`` is None when filters make it unknowable."""

    items: list[Object]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


def parse_revision(text: str) -> int:
    """Read a resourceVersion, 0 when absent; raises InvalidError."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        detail = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise InvalidError("", "", [invalid("resourceVersion", text, detail)])
    return int(text)


async def list_objects(
    store: Store, selector: Selector, namespace: str | None, options: ListOptions
) -> ListResult:
    """Return one page of the objects that ``selector`` matches."""
    options.check()
    position = _position(options)
    resource = selector.strategy.resource
    if selector.name is not None and (namespace or not selector.strategy.namespaced):
        return await _single(store, selector, namespace, options)
    items: list[StoredObject] = []
    limit, size = options.limit, options.limit
    while True:
        page = await _page(store, resource, namespace, size, position)
        _check_not_older(options, page.revision)
        matching = [item for item in page.items if selector.matches(item.obj)]
        if limit and len(items) + len(matching) >= limit:
            return _cut(items, matching, page, (namespace, limit, selector.everything))
        items += matching
        if page.next_start is None:
            return ListResult([item.obj for item in items], page.revision)
        position = ContinueToken(page.next_start, page.revision)
        size = min(size * 2, PAGE_SIZE_LIMIT)


async def every(
    store: Store, selector: Selector, namespace: str | None
) -> AsyncGenerator[StoredObject]:
    """Yield all matching objects as of one revision, a page at a time."""
    position = ContinueToken("", 0)
    while True:
        page = await _page(store, selector.strategy.resource, namespace, PAGE_SIZE, position)
        for item in page.items:
            if selector.matches(item.obj):
                yield item
        if page.next_start is None:
            return
        position = ContinueToken(page.next_start, page.revision)


def _cut(
    items: list[StoredObject],
    matching: list[StoredObject],
    page: Page,
    ask: tuple[str | None, int, bool],
) -> ListResult:
    namespace, limit, everything = ask
    taken = matching[: limit - len(items)]
    found = [item.obj for item in (*items, *taken)]
    whole = len(taken) == len(matching)
    if whole and page.next_start is None:
        return ListResult(found, page.revision)
    if whole and page.next_start is not None:
        start = page.next_start
    else:
        meta = taken[-1].obj["metadata"]
        start = f"{meta['name']}\0" if namespace else f"{meta.get('namespace')}/{meta['name']}\0"
    token = ContinueToken(start, page.revision).encode()
    return ListResult(found, page.revision, token, page.remaining if everything else None)


async def _page(
    store: Store, resource: str, namespace: str | None, limit: int, position: ContinueToken
) -> Page:
    try:
        return await store.list(
            resource,
            namespace,
            limit=limit,
            start=position.start or None,
            revision=max(position.revision, 0),
        )
    except CompactedError:
        if not position.start:
            raise
        raise ExpiredContinueError(ContinueToken(position.start, _LATEST).encode()) from None


async def _single(
    store: Store, selector: Selector, namespace: str | None, options: ListOptions
) -> ListResult:
    """List by metadata.name: one key is read, so no other object can spoil the answer."""
    resource, name = selector.strategy.resource, selector.name or ""
    # before the object: what changes in between is then seen again by a watch, not missed
    revision = await store.latest_revision(resource)
    _check_not_older(options, revision)
    if selector.strategy.name_rule()(name):
        return ListResult([], revision)
    try:
        found = await store.get(Key(resource, namespace, name))
    except NotFoundError:
        return ListResult([], revision)
    items = [found.obj] if selector.matches(found.obj) else []
    return ListResult(items, max(revision, found.revision))


def _check_not_older(options: ListOptions, revision: int) -> None:
    wanted = parse_revision(options.resource_version)
    if wanted > revision:
        raise FutureRevisionError(wanted, revision)


def _position(options: ListOptions) -> ContinueToken:
    if options.continue_token:
        if options.resource_version not in {"", "0"}:
            detail = "specifying resource version is not allowed when using continue"
            raise BadRequestError(detail)
        return continue_token.decode(options.continue_token)
    revision = parse_revision(options.resource_version)
    # a limit with a resourceVersion has meant exactly that version since before there was a match
    exact = options.match == "Exact" or (options.limit and not options.match)
    return ContinueToken("", revision if exact else 0)
