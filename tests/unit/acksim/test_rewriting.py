"""The storage migration against an API server that is busy, away, slow to notice, or says no."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

import httpx
import orjson
import pytest

from acksim.ack import rewriting
from acksim.ack.coverage import Wanted
from acksim.ack.rewriting import ROTATION_ANNOTATION, AccessError, Progress, Rewriter
from apiserver_shim.storage.etcd import EtcdClient, Range
from apiserver_shim.storage.etcd_pb2 import KeyValue

PREFIX = "/registry/secrets/default/"
VERSIONS = {number: f"{number}" * 8 + "-0000-0000-0000-" + "0" * 12 for number in (1, 2)}
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sealed(version: int) -> bytes:
    """A KMS v1 value, as far as its seal goes."""

    wrapped = base64.b64encode(VERSIONS[version].encode() + bytes(60))
    return b"k8s:enc:kms:v1:ack:" + len(wrapped).to_bytes(2, "big") + wrapped + b"sealed"


class World:
    """etcd and an API server in front of it; `script` may answer in its place."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.bodies: list[bytes] = []
        self.script: Callable[[str, int], httpx.Response | None] = lambda _name, _times: None
        self.asked: dict[str, int] = {}

    async def list(self, key: bytes, end: bytes, *, limit: int = 0, revision: int = 0) -> Range:
        found = [
            KeyValue(key=(PREFIX + name).encode(), value=value)
            for name, value in sorted(self.values.items())
            if key <= (PREFIX + name).encode() < end
        ]
        return Range(found[:limit] if limit else found, 1, len(found))

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "PATCH"
        assert request.headers["content-type"] == "application/merge-patch+json"
        name = request.url.path.removeprefix("/api/v1/namespaces/default/secrets/")
        self.asked[name] = self.asked.get(name, 0) + 1
        scripted = self.script(name, self.asked[name])
        if scripted is not None:
            return scripted
        self.bodies.append(request.content)
        self.values[name] = sealed(2)
        return httpx.Response(200)

    async def rewrite(self) -> Progress:
        async with httpx.AsyncClient(
            base_url="https://api", transport=httpx.MockTransport(self.answer)
        ) as http:
            rewriter = Rewriter(
                http,
                cast("EtcdClient", self),
                "/registry",
                wanted=Wanted("ack", "v1", VERSIONS[2]),
                moment=NOW,
                concurrency=3,
            )
            return await rewriter.run(lambda _progress: None)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(rewriting, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(rewriting, "_LONGEST_PAUSE", 0.001)
    monkeypatch.setattr(rewriting, "_PATIENCE_WITH_ONE", 0.005)
    return World()


def status(code: int, message: str) -> httpx.Response:
    return httpx.Response(code, content=orjson.dumps({"message": message}))


async def test_only_what_is_stale_is_touched(world: World) -> None:
    world.values = {"plain": b"k8s\0", "older": sealed(1), "new": sealed(2)}
    done = await world.rewrite()
    assert (done.seen, done.rewritten, done.failed) == (3, 2, {})
    assert world.asked == {"plain": 1, "older": 1}
    annotation = {"metadata": {"annotations": {ROTATION_ANNOTATION: "2026-01-02T00:00:00+0000"}}}
    assert sorted(world.bodies) == sorted([b"{}", orjson.dumps(annotation)])


@pytest.mark.parametrize(
    "trouble",
    [
        status(409, "the object has been modified"),
        status(429, "too many requests"),
        status(503, "shutting down"),
        status(500, "Internal error occurred: rpc error: code = ResourceExhausted desc = …"),
    ],
)
async def test_trouble_that_passes_is_waited_out(world: World, trouble: httpx.Response) -> None:
    world.values = {f"app{number}": b"k8s\0" for number in range(5)}
    world.script = lambda _name, times: trouble if times <= 3 else None
    done = await world.rewrite()
    assert (done.rewritten, done.failed) == (5, {})


async def test_a_connection_that_breaks_is_made_again(world: World) -> None:
    world.values = {"app": b"k8s\0"}

    def broken(_name: str, times: int) -> None:
        if times <= 2:
            raise httpx.ConnectError("connection refused")

    world.script = broken
    assert (await world.rewrite()).rewritten == 1


async def test_one_that_cannot_be_rewritten_stops_no_other(world: World) -> None:
    world.values = {"bad": sealed(1), "good": b"k8s\0", "invalid": b"k8s\0"}
    answers = {"bad": status(500, "cannot be opened"), "invalid": status(422, "is invalid")}
    world.script = lambda name, _times: answers.get(name)
    done = await world.rewrite()
    assert done.rewritten == 1
    assert done.failed == {PREFIX + "bad": "cannot be opened", PREFIX + "invalid": "is invalid"}
    assert world.asked["invalid"] == 1


async def test_a_secret_that_is_deleted_meanwhile_is_no_failure(world: World) -> None:
    world.values = {"gone": b"k8s\0", "here": b"k8s\0"}

    def delete(name: str, _times: int) -> httpx.Response | None:
        if name != "gone":
            return None
        del world.values["gone"]
        return status(404, "not found")

    world.script = delete
    done = await world.rewrite()
    assert done.failed == {}
    assert set(world.values) == {"here"}


async def test_a_server_that_has_not_noticed_yet_is_asked_about_one_secret_alone(
    world: World,
) -> None:
    """With KMS v2 a no-op patch moves nothing until the next poll."""
    world.values = {f"app{number:02}": b"k8s\0" for number in range(20)}
    world.script = lambda _name, _times: httpx.Response(200) if total() < 60 else None

    def total() -> int:
        return sum(world.asked.values())

    done = await world.rewrite()
    assert (done.rewritten, done.failed) == (20, {})
    first, *others = sorted(world.asked.values(), reverse=True)
    assert first > 20
    assert max(others) == 2


async def test_a_server_that_never_notices_is_a_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "_NOTICE_SECONDS", 0.01)
    world.values = {f"app{number}": b"k8s\0" for number in range(3)}
    world.script = lambda _name, _times: httpx.Response(200)
    done = await world.rewrite()
    assert done.rewritten == 0
    assert set(done.failed) == {PREFIX + name for name in world.values}
    assert "run it again" in done.failed[PREFIX + "app0"]


async def test_no_permission_ends_it_at_once(world: World) -> None:
    world.values = {f"app{number}": b"k8s\0" for number in range(100)}
    world.script = lambda _name, _times: status(403, "secrets is forbidden")
    with pytest.raises(AccessError, match="forbidden"):
        await world.rewrite()
    assert len(world.asked) <= 3
