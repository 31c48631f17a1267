"""Watches: changes as a selector sees them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NamedTuple

from apiserver_shim.objects.lists import ListOptions, list_objects
from apiserver_shim.objects.selectors import Selector
from apiserver_shim.storage.store import Store, WatchEvent

Object = dict[str, Any]


class Change(NamedTuple):
    """What a watcher learns; a BOOKMARK has no ``obj``, and says if all there was has been told."""

    type: str
    obj: Object | None
    revision: int
    initial_events_end: bool = False


def seen_by(selector: Selector, event: WatchEvent) -> Change:
    """Tell what ``event`` means to somebody who sees only what ``selector`` matches.

    Entering the selection is ADDED, leaving it DELETED with the old state and the new revision;
    what happens outside of it moves bookmarks only.
    """
    unseen = Change("BOOKMARK", None, event.revision)
    if event.obj is None:
        return unseen
    now = selector.matches(event.obj)
    if event.type != "MODIFIED" or selector.everything:
        return Change(event.type, event.obj, event.revision) if now else unseen
    before = event.prev is not None and selector.matches(event.prev)
    if now:
        return Change("MODIFIED" if before else "ADDED", event.obj, event.revision)
    if not before or event.prev is None:
        return unseen
    meta = {**event.prev["metadata"], "resourceVersion": str(event.revision)}
    return Change("DELETED", {**event.prev, "metadata": meta}, event.revision)


async def watch_objects(
    store: Store,
    selector: Selector,
    namespace: str | None,
    *,
    revision: int,
    initial_events: bool | None = None,
) -> AsyncGenerator[Change]:
    """Yield changes after ``revision``; 0 first tells every object there is as ADDED.

    ``initial_events`` True tells them in any case, as of ``revision`` or later; False in none.
    """
    resource = selector.strategy.resource
    if revision == 0 and initial_events is False:
        revision = await store.latest_revision(resource)
    elif revision == 0 or initial_events:
        options = ListOptions(resource_version=str(revision or ""))
        found = await list_objects(store, selector, namespace, options)
        for obj in found.items:
            yield Change("ADDED", obj, found.revision)
        revision = found.revision
        yield Change("BOOKMARK", None, revision, initial_events_end=bool(initial_events))
    placed = namespace or not selector.strategy.namespaced
    events = store.watch(
        resource,
        namespace,
        revision=revision,
        name=selector.name if placed else None,
        previous=not selector.everything,
    )
    async with aclosing(events):
        async for event in events:
            yield seen_by(selector, event)
