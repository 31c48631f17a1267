"""What every namespace and account is given: a default account, a CA bundle, asked-for tokens.

What the service account, root CA and tokens controllers do for a real cluster.
"""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from apiserver_shim.access.accounts import AccountTokens
from apiserver_shim.errors import AlreadyExistsError, NotFoundError, ShimError
from apiserver_shim.objects import names
from apiserver_shim.objects.errors import ForbiddenError, InvalidError
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


class Task(NamedTuple):
    """What to do, and about whom."""

    what: str
    namespace: str
    name: str = ""
    uid: str = ""


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
        self._work: dict[str, Callable[[Task], Awaitable[None]]] = {
            "furnish": self._furnish,
            "populate": self._populate,
            "revoke": self._revoke,
        }

    def observe(self, resource: str, obj: Object, gone: bool) -> None:
        """Hear of a write."""
        meta = obj["metadata"]
        name, namespace = meta["name"], meta.get("namespace", "")
        if resource == "secrets":
            if not gone and obj.get("type") == TOKEN_TYPE:
                self._add(Task("populate", namespace, name))
        elif resource == "namespaces":
            if not gone and not meta.get("deletionTimestamp"):
                self._add(Task("furnish", name))
        elif gone and (resource, name) in {
            ("serviceaccounts", DEFAULT_ACCOUNT),
            ("configmaps", ROOT_CA),
        }:
            self._add(Task("furnish", namespace))
        if gone and resource == "serviceaccounts":
            self._add(Task("revoke", namespace, name, meta.get("uid", "")))

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
        what, namespace, name, _ = task
        try:
            await self._work[what](task)
        except (NotFoundError, ForbiddenError):
            return True  # gone meanwhile, or going
        except InvalidError as error:
            # an immutable Secret; its next change is another chance
            log.warning("cannot %s %s/%s: %s", what, namespace, name, error)
        except (ShimError, OSError, ValueError) as error:
            log.warning("cannot %s %s/%s yet: %s", what, namespace, name, error)
            return False
        return True

    async def _furnish(self, task: Task) -> None:
        namespace = task.namespace
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

    async def _populate(self, task: Task) -> None:
        """Fill in what a token Secret lacks; remove it if its account is not there, or another.

        The account is known by name and, where the Secret has one, by uid: a Secret restored with
        the uid of an earlier account is no secret of this one (tokens_controller.go, syncSecret).
        """
        namespace, name = task.namespace, task.name
        key, secrets = Key("secrets", namespace, name), KINDS["secrets"]
        secret = await self._registry.get(key)
        if secret.get("type") != TOKEN_TYPE:
            return
        meta = secret["metadata"]
        account = await self._account_of(namespace, meta.get("annotations") or {})
        if account is None:
            options = DeleteOptions(uid=meta["uid"])
            await self._registry.delete(secrets, key, options)
            return
        missing = await self._missing(secret, account)
        if not missing:
            return
        uid = account["metadata"]["uid"]

        def filled(old: Object) -> Object:
            metadata = old["metadata"]
            marks = {**(metadata.get("annotations") or {}), _ACCOUNT_UID: uid}
            return {
                **old,
                "metadata": {**metadata, "annotations": marks},
                "data": {**(old.get("data") or {}), **missing},
            }

        await self._registry.update(secrets, key, filled)

    async def _account_of(self, namespace: str, annotations: Mapping[str, str]) -> Object | None:
        name, uid = annotations.get(SERVICE_ACCOUNT_NAME, ""), annotations.get(_ACCOUNT_UID, "")
        if not name or names.path_segment(name):
            return None
        try:
            account = await self._registry.get(Key("serviceaccounts", namespace, name))
        except NotFoundError:
            return None
        return account if uid in {"", account["metadata"].get("uid")} else None

    async def _missing(self, secret: Object, account: Object) -> dict[str, str]:
        """Return what it lacks, in base64 (tokens_controller.go, secretUpdateNeeded)."""
        data, meta = secret.get("data") or {}, secret["metadata"]
        bundle = _base64(await self._ca())
        missing = {}
        if not data.get("token"):
            missing["token"] = _base64(await self._accounts.issue_legacy(account, meta["name"]))
        if data.get("ca.crt") != bundle and (bundle or "ca.crt" not in data):
            missing["ca.crt"] = bundle
        if not data.get("namespace"):
            missing["namespace"] = _base64(meta["namespace"])
        return missing

    async def _revoke(self, task: Task) -> None:
        """Remove the token Secrets of an account that is gone: of its name, and of no other uid."""
        secrets = KINDS["secrets"]
        selector = parse(secrets, fields=f"type={TOKEN_TYPE}")
        async for found in every(self._registry.store, selector, task.namespace):
            annotations = found.obj["metadata"].get("annotations") or {}
            of_this = annotations.get(SERVICE_ACCOUNT_NAME) == task.name
            if of_this and annotations.get(_ACCOUNT_UID, "") in {"", task.uid}:
                await self._registry.delete_found(secrets, found, DeleteOptions())

    async def _ca(self) -> str:
        if self._bundle is None:
            path = self._authority
            self._bundle = "" if path is None else await asyncio.to_thread(path.read_text)
        return self._bundle


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
