"""The Python clients people use: kubernetes, kr8s, lightkube."""

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import kr8s.asyncio
import kubernetes
import lightkube
import pytest
from kr8s.asyncio.objects import Secret as Kr8sSecret
from kubernetes import watch
from kubernetes.client import ApiException, CoreV1Api
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, Secret

from tests.contract.apiserver.conftest import ClusterDoor
from tests.patience import PATIENCE


@pytest.fixture
def client(cluster: ClusterDoor) -> Iterator[Any]:
    with kubernetes.config.new_client_from_config(str(cluster.kubeconfig())) as client:
        yield client
        client.rest_client.pool_manager.clear()  # what close() leaves open


def secret(name: str, **data: str) -> Any:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    meta = kubernetes.client.V1ObjectMeta(name=name)
    return kubernetes.client.V1Secret(metadata=meta, data=encoded)


def test_official_client(client: Any) -> None:
    core = CoreV1Api(client)
    made = core.create_namespaced_secret("default", secret("app1", a="b"))
    assert (made.type, made.data) == ("Opaque", {"a": "Yg=="})
    read = core.read_namespaced_secret("app1", "default")
    assert read.metadata.uid == made.metadata.uid
    read.data["c"] = "ZA=="
    replaced = core.replace_namespaced_secret("app1", "default", read)
    assert replaced.data == {"a": "Yg==", "c": "ZA=="}
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_secret("app1", "default", made)
    assert stale.value.status == 409
    patched = core.patch_namespaced_secret("app1", "default", {"data": {"a": None}})
    assert patched.data == {"c": "ZA=="}
    patched = core.patch_namespaced_secret(
        "app1", "default", [{"op": "add", "path": "/data/e", "value": "Zg=="}]
    )
    assert patched.data == {"c": "ZA==", "e": "Zg=="}
    for index in range(5):
        core.create_namespaced_secret("default", secret(f"s{index}"))
    page = core.list_secret_for_all_namespaces(limit=4)
    assert page.metadata.remaining_item_count == 2
    rest = core.list_secret_for_all_namespaces(limit=4, _continue=page.metadata._continue)
    assert [item.metadata.name for item in rest.items] == ["s3", "s4"]
    assert core.delete_namespaced_secret("app1", "default")["status"] == "Success"
    with pytest.raises(ApiException) as missing:
        core.read_namespaced_secret("app1", "default")
    assert missing.value.status == 404
    core.delete_collection_namespaced_secret("default")
    assert core.list_namespaced_secret("default").items == []


def test_official_client_watches(client: Any) -> None:
    core = CoreV1Api(client)
    core.create_namespaced_secret("default", secret("app1"))
    seen: list[tuple[str, str]] = []
    watching = watch.Watch()
    for event in watching.stream(core.list_namespaced_secret, "default", timeout_seconds=PATIENCE):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 1:
            core.create_namespaced_secret("default", secret("app2"))
        elif len(seen) == 2:
            core.delete_namespaced_secret("app1", "default")
        else:
            watching.stop()
    assert list(watch.Watch().stream(core.list_namespaced_secret, "none", timeout_seconds=1)) == []
    assert seen == [("ADDED", "app1"), ("ADDED", "app2"), ("DELETED", "app1")]


def test_dynamic_client(client: Any, cluster: ClusterDoor, tmp_path: Any) -> None:
    dynamic = DynamicClient(client, cache_file=str(tmp_path / "discovery.json"))
    secrets = dynamic.resources.get(api_version="v1", kind="Secret")
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app1"}}
    assert secrets.create(body=body, namespace="default").type == "Opaque"
    assert [s.metadata.name for s in secrets.get(namespace="default").items] == ["app1"]
    with pytest.raises(NotFoundError):
        secrets.get(name="nope", namespace="default")


@pytest.fixture
async def kr8s_api(cluster: ClusterDoor) -> AsyncIterator[Any]:
    api: Any = await kr8s.asyncio.api(kubeconfig=str(cluster.kubeconfig()))
    yield api
    await api._session.aclose()  # kr8s has no way of its own


async def test_kr8s(kr8s_api: Any) -> None:
    body = {"metadata": {"name": "app1", "namespace": "default"}, "stringData": {"a": "b"}}
    made = await Kr8sSecret(body, api=kr8s_api)
    await made.create()
    assert await made.exists()
    await made.annotate({"note": "x"})
    found = await Kr8sSecret.get("app1", namespace="default", api=kr8s_api)
    assert found.annotations["note"] == "x"
    listed = [s async for s in kr8s_api.get("secrets", namespace=kr8s.ALL)]
    assert [s.name for s in listed] == ["app1"]
    await made.delete()
    assert not await made.exists()


def test_lightkube(cluster: ClusterDoor) -> None:
    config = lightkube.KubeConfig.from_file(str(cluster.kubeconfig()))
    with lightkube.Client(config=config, field_manager="acksim-test") as client:
        made = client.create(Secret(metadata=ObjectMeta(name="app1", namespace="default")))
        assert made.type == "Opaque"
        patch = {"metadata": {"labels": {"tier": "gold"}}}
        client.patch(Secret, "app1", patch, namespace="default")
        found = list(client.list(Secret, namespace="*", labels={"tier": "gold"}))
        assert [s.metadata.name for s in found if s.metadata] == ["app1"]
        for kind, obj in client.watch(Secret, namespace="default"):
            assert (kind, obj.metadata.name if obj.metadata else "") == ("ADDED", "app1")
            break
        client.delete(Secret, "app1", namespace="default")
        with pytest.raises(lightkube.ApiError) as missing:
            client.get(Secret, "app1", namespace="default")
        assert missing.value.status.code == 404
        assert len(list(client.list(Namespace))) == 4
