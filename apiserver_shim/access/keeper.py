"""What every namespace and account is given: a default account, a CA bundle, asked-for tokens.

What the service account, root CA and tokens controllers do for a real cluster.
"""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from apiserver_shim.access.accounts import AccountTokens
from apiserver_shim.errors import AlreadyExistsError, NotFoundError, ShimError
from apiserver_shim.objects.errors import ForbiddenError
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.lists import ListOptions, every, list_objects
from apiserver_shim.objects.registry import DeleteOptions, Registry
from apiserver_shim.objects.secrets import SERVICE_ACCOUNT_NAME
from apiserver_shim.objects.selectors import Selector, parse
from apiserver_shim.storage.store import Key

Object = dict[str, Any]

log = logging.getLogger(__name__)

TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - a Secret's type
DEFAULT_ACCOUNT, ROOT_CA = "default", "kube-root-ca.crt"
_ACCOUNT_UID = "kubernetes.io/service-account.uid"
_RETRY_SECONDS = 2.0
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)

Task = tuple[str, str, str]  # what to do, namespace, name


class AccountKeeper:
    """Does its work one by one in the background, told of it by the registry's writes."""

    def __init__(
        self, registry: Registry, accounts: AccountTokens, *, authority: Path | None
    ) -> None:
        self._registry = registry
        self._accounts = accounts
        self._authority = authority
        self._bundle: str | None = None
        self._waiting: dict[Task, None] = {}  # in order, each once
        self._woken = asyncio.Event()
        self._work: dict[str, Callable[[str, str], Awaitable[None]]] = {
            "furnish": self._furnish,
            "populate": self._populate,
            "revoke": self._revoke,
        }

    def observe(self, resource: str, obj: Object, gone: bool) -> None:
        """Hear of a write."""
        meta = obj["metadata"]
        name, namespace = meta["name"], meta.get("namespace", "")
        if resource == "secrets":
            if not gone and obj.get("type") == TOKEN_TYPE and not _populated(obj):
                self._add(("populate", namespace, name))
        elif resource == "namespaces":
            if not gone and not meta.get("deletionTimestamp"):
                self._add(("furnish", name, ""))
        elif gone and (resource, name) in {
            ("serviceaccounts", DEFAULT_ACCOUNT),
            ("configmaps", ROOT_CA),
        }:
            self._add(("furnish", namespace, ""))
        if gone and resource == "serviceaccounts":
            self._add(("revoke", namespace, meta.get("uid", "")))

    def _add(self, task: Task) -> None:
        self._waiting[task] = None
        self._woken.set()

    async def run(self) -> None:
        """Furnish what is there, then work until cancelled."""
        strategy = KINDS["namespaces"]
        found = await list_objects(self._registry.store, Selector(strategy), None, ListOptions())
        for namespace in found.items:
            self.observe("namespaces", namespace, gone=False)
        while True:
            await self._woken.wait()
            self._woken.clear()
            failed: list[Task] = []
            while self._waiting:
                task = next(iter(self._waiting))
                del self._waiting[task]
                if not await self._done(task):
                    failed.append(task)
            if failed:
                await asyncio.sleep(_RETRY_SECONDS)
                for task in failed:
                    self._add(task)

    async def _done(self, task: Task) -> bool:
        what, namespace, name = task
        try:
            await self._work[what](namespace, name)
        except (NotFoundError, ForbiddenError):
            return True  # gone meanwhile, or going
        except (ShimError, OSError, ValueError) as error:
            log.warning("cannot %s %s/%s yet: %s", what, namespace, name, error)
            return False
        return True

    async def _furnish(self, namespace: str, _name: str) -> None:
        account = {"metadata": {"name": DEFAULT_ACCOUNT, "namespace": namespace}}
        await self._create("serviceaccounts", namespace, account)
        bundle: Object = {
            "metadata": {
                "name": ROOT_CA,
                "namespace": namespace,
                "annotations": {"kubernetes.io/description": _DESCRIPTION},
            },
            "data": {"ca.crt": await self._ca()},
        }
        await self._create("configmaps", namespace, bundle)

    async def _create(self, resource: str, namespace: str, obj: Object) -> None:
        strategy = KINDS[resource]
        typed = {"kind": strategy.kind, "apiVersion": strategy.api_version, **obj}
        try:
            await self._registry.create(strategy, namespace, typed)
        except AlreadyExistsError:
            return

    async def _populate(self, namespace: str, name: str) -> None:
        """Fill in the token of a Secret made for it; one without its account is removed."""
        key, secrets = Key("secrets", namespace, name), KINDS["secrets"]
        secret = await self._registry.get(key)
        if secret.get("type") != TOKEN_TYPE or _populated(secret):
            return
        meta = secret["metadata"]
        annotations = meta.get("annotations") or {}
        account_key = Key("serviceaccounts", namespace, annotations.get(SERVICE_ACCOUNT_NAME, ""))
        try:
            account = await self._registry.get(account_key)
        except NotFoundError:
            account = {}
        uid = (account.get("metadata") or {}).get("uid", "")
        if not uid or annotations.get(_ACCOUNT_UID, uid) != uid:
            options = DeleteOptions(uid=meta["uid"])
            await self._registry.delete(secrets, key, options)
            return
        plain = {
            "token": await self._accounts.issue_legacy(account, name),
            "ca.crt": await self._ca(),
            "namespace": namespace,
        }
        data = {k: base64.b64encode(v.encode()).decode() for k, v in plain.items()}

        def filled(old: Object) -> Object:
            metadata = old["metadata"]
            marks = {**(metadata.get("annotations") or {}), _ACCOUNT_UID: uid}
            return {
                **old,
                "metadata": {**metadata, "annotations": marks},
                "data": {**(old.get("data") or {}), **data},
            }

        await self._registry.update(secrets, key, filled)

    async def _revoke(self, namespace: str, uid: str) -> None:
        """Remove the token Secrets of an account that is gone."""
        secrets = KINDS["secrets"]
        selector = parse(secrets, fields=f"type={TOKEN_TYPE}")
        async for found in every(self._registry.store, selector, namespace):
            annotations = found.obj["metadata"].get("annotations") or {}
            if annotations.get(_ACCOUNT_UID) == uid:
                await self._registry.delete_found(secrets, found, DeleteOptions())

    async def _ca(self) -> str:
        if self._bundle is None:
            path = self._authority
            self._bundle = "" if path is None else await asyncio.to_thread(path.read_text)
        return self._bundle


def _populated(secret: Object) -> bool:
    return bool((secret.get("data") or {}).get("token"))
