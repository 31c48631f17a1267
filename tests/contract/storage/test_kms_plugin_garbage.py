"""Whatever arrives on the plugin's socket is answered as grpc-go's server would, and not logged."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import grpc.aio
import pytest

from alibaba_kms_plugin import Credentials, KmsPlugin, KmsPluginSettings
from kubernetes_kms.v1_pb2 import VersionRequest, VersionResponse

METHODS = [
    *(f"/v1beta1.KeyManagementService/{name}" for name in ("Version", "Encrypt", "Decrypt")),
    *(f"/v2.KeyManagementService/{name}" for name in ("Status", "Encrypt", "Decrypt")),
]
NO_WIRE_FORMAT = "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data"
NO_TEXT = "grpc: error unmarshalling request: string field contains invalid UTF-8"


@pytest.fixture
async def plugin(socket_directory: Path) -> AsyncIterator[Path]:
    """Before a KMS that is away: nothing here needs one."""
    path = socket_directory / "p.sock"
    settings = KmsPluginSettings(path, "http://127.0.0.1:1", "k", Credentials("id", "secret"))
    plugin = KmsPlugin(settings, now=lambda: datetime.now(UTC))
    await plugin.start()
    yield path
    await plugin.stop()


async def call(channel: grpc.aio.Channel, method: str, request: bytes) -> tuple[str, str]:
    """The code and the words of what came back."""
    try:
        raw = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        await raw(request, timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    return "OK", ""


async def serves(path: Path) -> bool:
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        ask = channel.unary_unary(
            METHODS[0],
            request_serializer=VersionRequest.SerializeToString,
            response_deserializer=VersionResponse.FromString,
        )
        answer = await ask(VersionRequest(version="v1beta1"), timeout=10, wait_for_ready=True)
        return bool(answer.version == "v1beta1")


@pytest.mark.parametrize("method", METHODS)
async def test_no_message(plugin: Path, method: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with grpc.aio.insecure_channel(f"unix:{plugin}") as channel:
            for garbage in (b"\xff", b"\x0a\x05a", b"\x0b", b"\0", b"{}", b"\x0a" + b"\xff" * 20):
                assert await call(channel, method, garbage) == ("INTERNAL", NO_WIRE_FORMAT)
        assert await serves(plugin)
    assert [one.getMessage() for one in caplog.records if one.levelno > logging.DEBUG] == []


async def test_no_text(plugin: Path) -> None:
    async with grpc.aio.insecure_channel(f"unix:{plugin}") as channel:
        assert await call(channel, METHODS[1], b"\x0a\x02\xff\xfe") == ("INTERNAL", NO_TEXT)
        assert await call(channel, METHODS[4], b"\x12\x02\xff\xfe") == ("INTERNAL", NO_TEXT)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v2.KeyManagementService/Nothing", "unknown method Nothing for service v2.Key"),
        ("/v2.KeyManagementService/", "unknown method  for service v2.KeyManagementService"),
        ("/v2alpha1.KeyManagementService/Status", "unknown service v2alpha1.KeyManagementService"),
        ("/a/b/c", "unknown service a/b"),
        ("/nothing", 'malformed method name: "/nothing"'),
    ],
)
async def test_no_such_method(plugin: Path, path: str, words: str) -> None:
    async with grpc.aio.insecure_channel(f"unix:{plugin}") as channel:
        code, details = await call(channel, path, b"")
    assert code == "UNIMPLEMENTED"
    assert details.startswith(words)


async def test_too_long(plugin: Path) -> None:
    """Longer than a message may be, and longer than what a KMS takes."""
    async with grpc.aio.insecure_channel(f"unix:{plugin}") as channel:
        code, _ = await call(channel, METHODS[1], b"\x12\x80\x80\x80\x03" + bytes(6 << 20))
        assert code == "RESOURCE_EXHAUSTED"
        code, details = await call(channel, METHODS[1], b"\x12\x80\x80\x40" + bytes(1 << 20))
        assert (code, details) == ("INVALID_ARGUMENT", "longer than any request that a KMS takes")
    assert await serves(plugin)


async def test_no_http2(plugin: Path, caplog: pytest.LogCaptureFixture) -> None:
    opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    with caplog.at_level(logging.INFO):
        for garbage in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            os.urandom(4096),
            opening + os.urandom(4096),
            opening + b"\xff\xff\xff" + bytes(6),
            b"\x16\x03\x01\x02\x00",
        ):
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
                client.connect(str(plugin))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(garbage)
            assert await serves(plugin)
    assert caplog.records == []


async def test_many_silent_connections_and_calls_at_once(plugin: Path) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    try:
        for client in silent:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(str(plugin))
        async with grpc.aio.insecure_channel(f"unix:{plugin}") as channel:
            answers = await asyncio.gather(
                *(call(channel, METHODS[3], b"\xff") for _ in range(3000))
            )
        assert set(answers) == {("INTERNAL", NO_WIRE_FORMAT)}
        assert await serves(plugin)
    finally:
        for client in silent:
            client.close()
