"""Namespaces come and go: the first four are made, the deleted ones emptied and removed.

What kube-controller-manager's namespace controller does for a real cluster.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any

from apiserver_shim.errors import AlreadyExistsError, NotFoundError, ShimError, StorageError
from apiserver_shim.objects import namespaces
from apiserver_shim.objects.admission import NamespaceAdmission
from apiserver_shim.objects.conditions import content_conditions, with_conditions
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.lists import ListOptions, every, list_objects
from apiserver_shim.objects.metadata import timestamp
from apiserver_shim.objects.registry import DeleteOptions, Registry
from apiserver_shim.objects.selectors import Selector
from apiserver_shim.storage.store import Key

Object = dict[str, Any]

log = logging.getLogger(__name__)

_STRATEGY = KINDS["namespaces"]
_CONTENT = tuple(strategy for strategy in KINDS.values() if strategy.namespaced)
_FIRST_DELAY, _LAST_DELAY = 0.1, 5.0


class NamespaceLifecycle:
    """Looks after the namespaces of one logical cluster while ``run`` runs."""

    def __init__(
        self,
        registry: Registry,
        *,
        admission: NamespaceAdmission,
        now: Callable[[], datetime],
    ) -> None:
        self._registry = registry
        self._admission = admission
        self._now = now
        self._bootstrap: asyncio.Task[None] | None = None
        self._emptying: dict[str, asyncio.Task[None]] = {}

    async def bootstrapped(self) -> None:
        """Wait until the first four namespaces exist; raises StorageError when etcd is away."""
        task = self._bootstrap
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._bootstrap = asyncio.create_task(self._create_first())
        elif task.done():
            return
        await asyncio.shield(task)

    async def _create_first(self) -> None:
        selector = Selector(_STRATEGY)
        try:
            found = await list_objects(self._registry.store, selector, None, ListOptions())
        except StorageError:
            raise
        except ShimError as error:
            # an unreadable namespace is no reason to keep everything else shut
            log.warning("cannot read the namespaces: %s", error.message)
            return
        missing = set(namespaces.BOOTSTRAP) - {obj["metadata"]["name"] for obj in found.items}
        await asyncio.gather(*map(self._create, sorted(missing)))

    async def _create(self, name: str) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            await self._registry.create(_STRATEGY, None, body)
        except AlreadyExistsError:
            pass
        except StorageError:
            raise
        except ShimError as error:
            log.warning("cannot create namespace %s: %s", name, error.message)

    async def run(self) -> None:
        """Follow the namespaces until cancelled."""
        delay = _FIRST_DELAY
        try:
            while True:
                try:
                    await self.bootstrapped()
                    await self._follow()
                    delay = _FIRST_DELAY
                except ShimError as error:
                    log.warning("following namespaces stopped: %s", error.message)
                self._admission.follow(following=False)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LAST_DELAY)
        finally:
            tasks = [task for task in (*self._emptying.values(), self._bootstrap) if task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        store = self._registry.store
        self._admission.follow(following=True)
        found = await list_objects(store, Selector(_STRATEGY), None, ListOptions())
        for obj in found.items:
            self._observe(obj)
        events = store.watch("namespaces", revision=found.revision, previous=False)
        async with aclosing(events):
            async for event in events:
                if event.obj is None:
                    continue
                if event.type == "DELETED":
                    self._admission.forget(event.obj["metadata"]["name"], event.revision)
                else:
                    self._observe(event.obj)

    def _observe(self, obj: Object) -> None:
        self._admission.observe("namespaces", obj)
        name = obj["metadata"]["name"]
        held = namespaces.FINALIZER in ((obj.get("spec") or {}).get("finalizers") or [])
        if obj["metadata"].get("deletionTimestamp") and held and name not in self._emptying:
            task = self._emptying[name] = asyncio.create_task(self._empty(name))
            task.add_done_callback(lambda _: self._emptying.pop(name, None))

    async def _empty(self, name: str) -> None:
        delay = _FIRST_DELAY
        while True:
            try:
                if await self._emptied(name):
                    return
            except NotFoundError:
                return
            except ShimError as error:
                log.warning("namespace %s stays Terminating: %s", name, error.message)
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LAST_DELAY)

    async def _emptied(self, name: str) -> bool:
        failures: list[str] = []
        left: list[tuple[str, Object]] = []
        for strategy in _CONTENT:
            try:
                async for found in every(self._registry.store, Selector(strategy), name):
                    deleted = await self._registry.delete_found(strategy, found, DeleteOptions())
                    if deleted is not None and not deleted.gone:
                        left.append((strategy.resource, deleted.obj))
            except StorageError:
                raise
            except ShimError as error:
                failures.append(error.message)
        key = Key("namespaces", None, name)
        if failures or left:
            conditions = content_conditions(failures, left, timestamp(self._now()))
            await self._registry.update(
                _STRATEGY, key, lambda old: with_conditions(old, conditions), subresource="status"
            )
            return False
        await self._registry.update(_STRATEGY, key, _released, subresource="finalize")
        return True


def _released(namespace: Object) -> Object:
    finalizers = (namespace.get("spec") or {}).get("finalizers") or []
    kept = [finalizer for finalizer in finalizers if finalizer != namespaces.FINALIZER]
    return {**namespace, "spec": {"finalizers": kept} if kept else {}}
