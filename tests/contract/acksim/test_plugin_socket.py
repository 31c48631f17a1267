"""A third party's client on a cluster's plugin socket: raw gRPC, messages written by hand."""

from pathlib import Path

import grpc
import pytest

from acksim.data_dir.layout import Layout
from acksim.testing import ClusterUnderTest
from tests.patience import PATIENCE


def field(number: int, value: bytes) -> bytes:
    """One length-delimited protobuf field shorter than 128 bytes of header."""
    size = len(value)
    length = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([number << 3 | 2]) + length + value


def fields(message: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while message:
        number, size, start = message[0] >> 3, message[1], 2
        if size & 0x80:
            size, start = size & 0x7F | message[2] << 7, 3
        found[number], message = message[start : start + size], message[start + size :]
    return found


def call(socket: Path, method: str, request: bytes) -> dict[int, bytes]:
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        send = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        answer: bytes = send(request, timeout=PATIENCE, wait_for_ready=True)
    return fields(answer)


@pytest.fixture
def socket(acksim_cluster: ClusterUnderTest) -> Path:
    name = f"{acksim_cluster.id[:16]}.sock"
    return Layout.of(acksim_cluster.world.facts.data_dir).socket(name)


def test_v1(socket: Path) -> None:
    service = "/v1beta1.KeyManagementService/"
    version = field(1, b"v1beta1")
    assert call(socket, service + "Version", version)[1] == b"v1beta1"
    sealed = call(socket, service + "Encrypt", version + field(2, b"a DEK"))[1]
    assert b"a DEK" not in sealed
    assert call(socket, service + "Decrypt", version + field(2, sealed))[1] == b"a DEK"


def test_v2(socket: Path, acksim_cluster: ClusterUnderTest) -> None:
    service = "/v2.KeyManagementService/"
    status = call(socket, service + "Status", b"")
    assert (status[1], status[2]) == (b"v2beta1", b"ok")
    assert status[3].startswith(acksim_cluster.key_id.encode() + b"/")
    sealed = call(socket, service + "Encrypt", field(1, b"a seed") + field(2, b"uid-1"))
    assert sealed[2] == status[3]
    request = field(1, sealed[1]) + field(2, b"uid-2") + field(3, sealed[2])
    assert call(socket, service + "Decrypt", request)[1] == b"a seed"


def test_a_dead_key_is_a_failed_precondition(
    socket: Path, acksim_cluster: ClusterUnderTest
) -> None:
    acksim_cluster.disable_key()
    request = field(1, b"v1beta1") + field(2, b"a DEK")
    with pytest.raises(grpc.RpcError, match=r"Rejected\.Disabled") as refused:
        call(socket, "/v1beta1.KeyManagementService/Encrypt", request)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
