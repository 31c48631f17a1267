"""Coverage in small pages, whatever there is, and what it says of a key."""

from collections import Counter
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from acksim.ack import coverage as module
from acksim.ack.coverage import Coverage, Seal, Wanted, secret_pages, survey
from acksim.ack.dependence import KeyInQuestion, dependence
from apiserver_shim.storage.etcd import EtcdClient, Range
from apiserver_shim.storage.etcd_pb2 import KeyValue

CLUSTER: dict[str, Any] = {
    "cluster_id": "c1",
    "key_id": "key-b",
    "target_key_id": None,
    "providers": [
        {"name": "grpc-kms-provider-2", "key_id": "key-b"},
        {"name": "grpc-kms-provider", "key_id": "key-a"},
    ],
}


class FakeEtcd:
    """Ranges over sorted values; remembers the largest answer."""

    def __init__(self, values: list[bytes]) -> None:
        self.kvs = [
            KeyValue(key=b"/registry/secrets/default/%06d" % index, value=value)
            for index, value in enumerate(values)
        ]
        self.largest = 0
        self.revisions: list[int] = []

    async def list(self, key: bytes, end: bytes, *, limit: int = 0, revision: int = 0) -> Range:
        left = [kv for kv in self.kvs if key <= kv.key < end]
        page = left[:limit] if limit else left
        self.largest = max(self.largest, sum(len(kv.value) for kv in page))
        self.revisions.append(revision)
        return Range(page, 7, len(left))


@given(st.lists(st.sampled_from([b"k8s\0small", b"k8s:enc:aescbc:v1:k:" + bytes(3000)])))
async def test_every_secret_is_counted_once(values: list[bytes]) -> None:
    found = await survey(cast("EtcdClient", FakeEtcd(values)), "/registry")
    assert found.total == len(values)
    assert found.secrets == Counter(Seal.of(value) for value in values)


async def test_pages_stay_small_and_of_one_moment() -> None:
    etcd = FakeEtcd([bytes(1 << 20)] * 300)
    pages = [len(page) async for page in secret_pages(cast("EtcdClient", etcd), "/registry")]
    assert sum(pages) == 300
    assert set(pages[1:-1]) == {7}
    assert etcd.largest == pages[0] << 20  # the first page cannot know
    assert etcd.revisions == [0] + [7] * (len(pages) - 1)
    assert module._FIRST_KEYS << 20 <= 16 << 20


def test_what_a_new_secret_would_be_is_not_stale() -> None:
    wanted = Wanted("grpc-kms-provider", "v1", "2")
    assert wanted.is_met(Seal("grpc-kms-provider", "v1", None, "2"))
    for stale in (
        Seal("grpc-kms-provider", "v1", None, "1"),
        Seal("grpc-kms-provider-2", "v1", None, "2"),
        Seal("grpc-kms-provider", "v2", "key-a", "2"),
        Seal(None, None, None, None),
    ):
        assert not wanted.is_met(stale)
    assert wanted.hides_staleness(Seal("grpc-kms-provider", "v1", None, "1"))
    assert not wanted.hides_staleness(Seal("grpc-kms-provider-2", "v1", None, "1"))
    assert not Wanted("p", "v2", "2").hides_staleness(Seal("p", "v2", "key-a", "1"))
    off = Wanted(None, "v1", None)
    assert off.is_met(Seal(None, None, None, None))
    assert not off.is_met(Seal("grpc-kms-provider", "v1", None, "1"))


def test_dependence_goes_by_the_version_before_the_provider() -> None:
    """A value restored from elsewhere may stand under a name that means another key here."""
    found = Coverage(
        Counter(
            {
                Seal("grpc-kms-provider", "v1", None, "a1"): 3,
                Seal("grpc-kms-provider", "v1", None, "x9"): 1,
                Seal("grpc-kms-provider", "v1", None, None): 2,
                Seal("grpc-kms-provider-2", "v2", "key-b", "b1"): 5,
            }
        )
    )
    key_a = dependence(KeyInQuestion("key-a", frozenset({"a1", "a2"})), CLUSTER, found, "b1")
    assert (key_a.secrets, bool(key_a)) == (5, True)
    assert "still holds it ready" in str(key_a.use)
    key_x = dependence(KeyInQuestion("key-x", frozenset({"x9"})), CLUSTER, found, "b1")
    assert (key_x.secrets, key_x.use) == (1, None)
    key_b = dependence(KeyInQuestion("key-b", frozenset({"b1"})), CLUSTER, found, "b1")
    assert (key_b.secrets, key_b.use) == (5, "new Secrets are sealed with it")
    version = dependence(KeyInQuestion(None, frozenset({"a2"})), CLUSTER, found, "b1")
    assert not version
