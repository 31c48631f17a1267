"""Watches: changes as a selector sees them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NamedTuple

from apiserver_shim.objects.lists import ListOptions, list_objects
from apiserver_shim.objects.selectors import Selector
from apiserver_shim.storage.store import Store, WatchEvent

Object = dict[str, Any]


class Change(NamedTuple):
    """What a watcher learns; ``obj`` is None in a BOOKMARK."""

    type: str
    obj: Object | None
    revision: int


def seen_by(selector: Selector, event: WatchEvent) -> Change | None:
    """Tell what ``event`` means to somebody who sees only what ``selector`` matches.

    Entering the selection is ADDED, leaving it DELETED with the old state and the new revision.
    """
    if event.obj is None:
        return Change("BOOKMARK", None, event.revision)
    now = selector.matches(event.obj)
    if event.type != "MODIFIED" or selector.everything:
        return Change(event.type, event.obj, event.revision) if now else None
    before = event.prev is not None and selector.matches(event.prev)
    if now:
        return Change("MODIFIED" if before else "ADDED", event.obj, event.revision)
    if not before or event.prev is None:
        return None
    meta = {**event.prev["metadata"], "resourceVersion": str(event.revision)}
    return Change("DELETED", {**event.prev, "metadata": meta}, event.revision)


async def watch_objects(
    store: Store, selector: Selector, namespace: str | None, *, revision: int
) -> AsyncGenerator[Change]:
    """Yield changes after ``revision``; 0 first tells every object there is as ADDED."""
    resource = selector.strategy.resource
    if revision == 0:
        found = await list_objects(store, selector, namespace, ListOptions())
        for obj in found.items:
            yield Change("ADDED", obj, found.revision)
        revision = found.revision
        yield Change("BOOKMARK", None, revision)
    events = store.watch(resource, namespace, revision=revision, previous=not selector.everything)
    async with aclosing(events):
        async for event in events:
            change = seen_by(selector, event)
            if change is not None:
                yield change
