"""Whoever reaches a port may fill no disk: a world's logs stay small and private."""

import asyncio
import contextlib
import socket
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import grpc.aio
import pytest

from acksim.clients.world import World
from acksim.data_dir.layout import Layout
from acksim.testing import ClusterUnderTest
from tests.effort import examples

BAD_MESSAGES = examples(5_000, ci=100_000)
TOGETHER = 500
GROWTH = 64 * 1024


def written(world: World) -> int:
    return sum(path.stat().st_size for path in logs(world))


def logs(world: World) -> list[Path]:
    return list(Layout.of(world.facts.data_dir).logs.iterdir())


async def send_bad_messages(path: Path) -> set[str]:
    """The codes of the answers."""
    codes: set[str] = set()
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        call = channel.unary_unary(
            "/v1beta1.KeyManagementService/Encrypt",
            request_serializer=bytes,
            response_deserializer=bytes,
        )

        async def one() -> None:
            try:
                await call(b"\xff\xff", timeout=50, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                codes.add(error.code().name)

        for _ in range(BAD_MESSAGES // TOGETHER):
            await asyncio.gather(*(one() for _ in range(TOGETHER)))
    return codes


def hang_up_on(url: str, data: bytes) -> None:
    address = urlsplit(url)
    with (
        contextlib.suppress(OSError),
        socket.create_connection((address.hostname, address.port)) as c,
    ):
        c.sendall(data)


@pytest.mark.timeout(240)
async def test_bad_messages_leave_no_more_than_a_few_lines(
    acksim_cluster: ClusterUnderTest,
) -> None:
    world = acksim_cluster.world
    before = written(world)
    name = f"{acksim_cluster.id[:16]}.sock"
    codes = await send_bad_messages(Layout.of(world.facts.data_dir).socket(name))
    assert codes == {"INTERNAL"}
    assert written(world) - before < GROWTH


def test_bytes_that_are_no_request_leave_no_more_than_a_few_lines(
    acksim_cluster: ClusterUnderTest,
) -> None:
    """On every port, by TLS and not."""
    world = acksim_cluster.world
    facts, before = world.facts, written(world)
    for url in (facts.endpoint, facts.tls_endpoint, facts.kubernetes, facts.control):
        for number in range(1000):
            hang_up_on(url, (b"\x16\x03\x01\0\xff", b"GET\r\n\r\n", b"\xff" * 100)[number % 3])
    assert written(world) - before < GROWTH


def test_no_other_user_may_read_them(acksim_cluster: ClusterUnderTest) -> None:
    found = logs(acksim_cluster.world)
    assert {path.name for path in found} >= {"etcd.log", "emulator.log", "apiserver.log"}
    assert [path.name for path in found if path.stat().st_mode & 0o077] == []
