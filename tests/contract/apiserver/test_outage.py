"""Every verb while the KMS plugin fails: a third party's plugin that can be made to."""

import asyncio
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import orjson
import pytest

from apiserver_shim.clusters import StaticToken
from apiserver_shim.kubernetes_version import KubernetesVersion
from tests.contract.apiserver.conftest import (
    ADMIN,
    NOBODY,
    Authority,
    ClusterDoor,
    Shim,
    running_shim,
)
from tests.contract.apiserver.test_watch import Watching
from tests.contract.storage.conftest import ThirdPartyPlugin, Time
from tests.patience import PATIENCE

SECRETS = "/api/v1/namespaces/default/secrets"
RPC = "rpc error: code = FailedPrecondition desc = the key is disabled"
HANGS = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
DISABLED = (grpc.StatusCode.FAILED_PRECONDITION, "the key is disabled")
MERGE = {"content-type": "application/merge-patch+json"}
UNREAD = {"ignoreStoreReadErrorWithClusterBreakingPotential": True}


@pytest.fixture(scope="module")
def plugin() -> Iterator[ThirdPartyPlugin]:
    """The plugin, on a loop of its own as the server is on another."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with tempfile.TemporaryDirectory(prefix="kms") as directory:
        found = ThirdPartyPlugin(Path(directory) / "p.sock")
        asyncio.run_coroutine_threadsafe(found.start(), loop).result(PATIENCE)
        yield found
        asyncio.run_coroutine_threadsafe(found.stop(), loop).result(PATIENCE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE)
    loop.close()


@pytest.fixture(autouse=True)
def healthy(plugin: ThirdPartyPlugin) -> Iterator[None]:
    yield
    plugin.failure = None
    plugin.hanging = False
    plugin.key_id = "key-1"


def encrypted(
    shim: Shim, plugin: ThirdPartyPlugin, kms: str, *, timeout: str = "3s", **changes: Any
) -> ClusterDoor:
    config = shim.home / f"outage-{kms}-{shim.counter}.yaml"
    config.write_text(
        "apiVersion: apiserver.config.k8s.io/v1\n"
        "kind: EncryptionConfiguration\n"
        "resources:\n"
        "- resources: [secrets]\n"
        "  providers:\n"
        f"  - kms: {{apiVersion: {kms}, name: other, endpoint: '{plugin.endpoint}', "
        f"timeout: {timeout}}}\n"
        "  - identity: {}\n"
    )
    return shim.new_cluster(encryption_config=config, **changes)


def create(api: httpx.Client, name: str) -> httpx.Response:
    return api.post(SECRETS, json={"metadata": {"name": name}, "data": {"a": "Yg=="}})


class Codes(NamedTuple):
    """What each verb answers."""

    get: int
    list: int
    create: int
    update: int
    patch: int
    delete: int


def codes(api: httpx.Client) -> Codes:
    obj = {"metadata": {"name": "app1"}, "data": {"a": "Yw=="}}
    patch = orjson.dumps({"data": {"a": "ZA=="}})
    return Codes(
        api.get(f"{SECRETS}/app1").status_code,
        api.get(SECRETS).status_code,
        create(api, "app2").status_code,
        api.put(f"{SECRETS}/app1", json=obj).status_code,
        api.patch(f"{SECRETS}/app1", content=patch, headers=MERGE).status_code,
        api.delete(f"{SECRETS}/app1").status_code,
    )


def restarted(door: ClusterDoor) -> None:
    """Let the API server forget its keys, as a restart does."""
    specs = door.shim.source.specs
    given = specs[door.id]
    specs[door.id] = type(given)(
        id=given.id,
        etcd_prefix=given.etcd_prefix,
        encryption_config=given.encryption_config,
        tokens=given.tokens,
        incarnation=given.incarnation + 1,
        version=given.version,
    )


@pytest.mark.parametrize(
    ("version", "cached", "uncached"),
    [
        ("v1", Codes(200, 200, 500, 500, 500, 200), Codes(500, 500, 500, 500, 500, 500)),
        ("v2", Codes(200, 200, 201, 200, 200, 200), Codes(500, 500, 500, 500, 500, 500)),
    ],
)
def test_every_verb(
    shim: Shim, plugin: ThirdPartyPlugin, version: str, cached: Codes, uncached: Codes
) -> None:
    door = encrypted(shim, plugin, version)
    with door.client() as api:
        assert create(api, "app1").status_code == 201
        plugin.failure = DISABLED
        assert codes(api) == cached
        plugin.failure = None
        create(api, "app1")
        plugin.failure = DISABLED
        restarted(door)
        assert codes(api) == uncached
        watching = Watching(api, SECRETS)
        assert watching.ended.wait(PATIENCE)
        assert [frame["type"] for frame in watching.frames] == ["ERROR"]
        assert watching.frames[0]["object"]["reason"] == "InternalError"
        # the others go on
        accounts = "/api/v1/namespaces/default/serviceaccounts"
        assert api.post(accounts, json={"metadata": {"name": "bot"}}).status_code == 201
        assert api.get(accounts).status_code == 200
        plugin.failure = None
        assert api.get(f"{SECRETS}/app1").status_code in {200, 500}


@pytest.mark.parametrize(
    ("version", "cached", "reason"),
    [
        ("v1", Codes(200, 200, 500, 500, 500, 200), HANGS),
        # the first Status has not been answered: there is no telling what is stale
        ("v2", Codes(200, 200, 201, 200, 200, 200), "got unexpected nil transformer"),
    ],
)
def test_every_verb_while_the_plugin_hangs(
    shim: Shim, plugin: ThirdPartyPlugin, version: str, cached: Codes, reason: str
) -> None:
    door = encrypted(shim, plugin, version, timeout="1s")
    with door.client() as api:
        assert create(api, "app1").status_code == 201
        plugin.hanging = True
        assert codes(api) == cached
        plugin.hanging = False
        create(api, "app1")
        restarted(door)
        plugin.hanging = True
        assert codes(api) == Codes(500, 500, 500, 500, 500, 500)
        assert reason in api.get(f"{SECRETS}/app1").json()["message"]
        plugin.hanging = False
        if version == "v1":
            assert api.get(f"{SECRETS}/app1").status_code == 200


def test_v2_writes_run_out_after_three_minutes_without_status(
    etcd_url: str, authority: Authority, tmp_path: Path, plugin: ThirdPartyPlugin
) -> None:
    clock = Time()
    with running_shim([etcd_url], authority, tmp_path, now=clock.now) as shim:
        door = encrypted(shim, plugin, "v2")
        with door.client() as api:
            assert create(api, "app1").status_code == 201
            plugin.failure = DISABLED
            clock.advance(170)
            assert codes(api) == Codes(200, 200, 201, 200, 200, 200)
            plugin.failure = None
            assert create(api, "app1").status_code == 201
            plugin.failure = DISABLED
            clock.advance(600)
            assert codes(api) == Codes(200, 200, 500, 500, 500, 200)
            message = create(api, "app3").json()["message"]
            assert re.search(r'encryptedDEKSource with keyID hash "sha256:\w+" expired at', message)
            assert api.get("/readyz").status_code == 500
            plugin.failure = None
            clock.advance(10)  # a failed Status is asked again after ten seconds
            assert create(api, "app3").status_code == 201


def test_what_is_told_of_v1(shim: Shim, plugin: ThirdPartyPlugin) -> None:
    door = encrypted(shim, plugin, "v1")
    with door.client() as api:
        create(api, "app1")
        plugin.failure = DISABLED
        status = create(api, "app2").json()
        assert status["reason"] == "InternalError"
        assert status["message"] == f"Internal error occurred: {RPC}"
        assert status["details"] == {"causes": [{"message": RPC}]}
        restarted(door)
        assert RPC in api.get(f"{SECRETS}/app1").json()["message"]
        prefix = door.shim.source.specs[door.id].etcd_prefix
        listed = api.get(SECRETS).json()
        assert listed["reason"] == "InternalError"
        key = f'unable to transform key "{prefix}/secrets/default/app1": '
        assert listed["message"].startswith(f"Internal error occurred: {key}")


def spoiled(shim: Shim, plugin: ThirdPartyPlugin, **changes: Any) -> ClusterDoor:
    """A cluster with one Secret of an identity provider and one that nobody can read."""
    door = encrypted(shim, plugin, "v1", **changes)
    with door.client() as api:
        assert create(api, "bad").status_code == 201
        plugin.failure = DISABLED
        restarted(door)
        config = door.shim.source.specs[door.id].encryption_config
        assert config is not None
        text = config.read_text()
        head, kms, identity = text.partition("  - kms:")[0], text.split("\n")[5], "  - identity: {}"
        config.write_text(f"{head}{identity}\n{kms}\n")
        assert create(api, "good").status_code == 201
    return door


def test_one_bad_object_fails_the_whole_list_and_cannot_go(
    shim: Shim, plugin: ThirdPartyPlugin
) -> None:
    door = spoiled(shim, plugin)
    with door.client() as api:
        assert api.get(f"{SECRETS}/good").status_code == 200
        for path in (SECRETS, "/api/v1/secrets", f"{SECRETS}?limit=1"):
            assert api.get(path).status_code == 500, path
        one = api.get(SECRETS, params={"fieldSelector": "metadata.name=good"})
        assert one.status_code == 200
        watching = Watching(api, SECRETS, fieldSelector="metadata.name=good", timeoutSeconds="1")
        assert watching.ended.wait(PATIENCE)
        assert [frame["type"] for frame in watching.frames] == ["ADDED"]
        assert api.delete(f"{SECRETS}/bad").status_code == 500
        assert api.delete(SECRETS).status_code == 500
        # the switch is off: the option is not seen
        dropped = api.request("DELETE", f"{SECRETS}/bad", json=UNREAD)
        assert dropped.status_code == 500
        assert api.get(f"{SECRETS}/good").status_code == 200


def test_an_older_release_says_so_in_livez(shim: Shim, plugin: ThirdPartyPlugin) -> None:
    door = encrypted(shim, plugin, "v1", version=KubernetesVersion(28))
    with door.client() as api:
        assert api.get("/version").json()["gitVersion"] == "v1.28.0"
        plugin.failure = DISABLED
        assert create(api, "app1").status_code == 500
        livez = api.get("/livez")
        assert livez.status_code == 500
        assert "[-]kms-providers failed: reason withheld" in livez.text
    with encrypted(shim, plugin, "v1").client() as api:
        assert create(api, "app1").status_code == 500
        assert api.get("/readyz").status_code == 500
        assert api.get("/livez").status_code == 200


def test_unsafe_delete(shim: Shim, plugin: ThirdPartyPlugin) -> None:
    version = KubernetesVersion(32, unsafe_deletion=True)
    editor = StaticToken("editor-token", "editor")
    door = spoiled(shim, plugin, version=version, tokens=(ADMIN, NOBODY, editor))
    with door.client() as api, door.client(editor.token) as other:
        listed = api.get(SECRETS).json()
        assert listed["reason"] == "StorageReadError"
        assert listed["details"]["causes"][0]["field"].endswith("/secrets/default/bad")
        assert "Code: 7" in api.get(f"{SECRETS}/bad").json()["message"]
        roles = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
        subject = {"kind": "User", "apiGroup": reference["apiGroup"], "name": "editor"}
        bound = api.post(
            roles,
            json={"metadata": {"name": "editor"}, "roleRef": reference, "subjects": [subject]},
        )
        assert bound.status_code == 201, bound.text
        refused = other.request("DELETE", f"{SECRETS}/bad", json=UNREAD)
        assert refused.status_code == 403
        assert "unsafe-delete-ignore-read-errors" in refused.json()["message"]
        both = {**UNREAD, "propagationPolicy": "Background"}
        mixed = api.request("DELETE", f"{SECRETS}/bad", json=both)
        assert mixed.status_code == 422
        assert "cannot be set together with .propagationPolicy" in mixed.json()["message"]
        whole = api.request("DELETE", SECRETS, json=UNREAD)
        assert "is not allowed with DELETECOLLECTION" in whole.json()["message"]
        readable = api.request("DELETE", f"{SECRETS}/good", json=UNREAD)
        assert readable.status_code == 409
        assert "is decodable from storage" in readable.json()["message"]
        gone = api.request("DELETE", f"{SECRETS}/bad", json=UNREAD)
        assert gone.status_code == 200, gone.text
        assert gone.json()["status"] == "Success"
        assert [s["metadata"]["name"] for s in api.get(SECRETS).json()["items"]] == ["good"]
