"""etcd's errors as this package's own."""

import grpc
import grpc.aio
import pytest

from apiserver_shim.errors import (
    CompactedError,
    FutureRevisionError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
    TooLargeError,
)
from apiserver_shim.storage.etcd import _translate

Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (Code.UNAVAILABLE, "etcdserver: leader changed", StorageUnavailableError),
        (Code.UNAVAILABLE, "etcdserver: request timed out", StorageUnavailableError),
        (Code.DEADLINE_EXCEEDED, "Deadline Exceeded", StorageUnavailableError),
        (Code.UNKNOWN, "context deadline exceeded", StorageUnavailableError),
        (Code.UNKNOWN, "Stream removed", StorageUnavailableError),
        (Code.UNKNOWN, "something else", StorageError),
        (
            Code.OUT_OF_RANGE,
            "etcdserver: mvcc: required revision has been compacted",
            CompactedError,
        ),
        (
            Code.OUT_OF_RANGE,
            "etcdserver: mvcc: required revision is a future revision",
            FutureRevisionError,
        ),
        (Code.INVALID_ARGUMENT, "etcdserver: request is too large", TooLargeError),
        (
            Code.RESOURCE_EXHAUSTED,
            "grpc: received message larger than max (3000000 vs. 2097152)",
            TooLargeError,
        ),
        (Code.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded", StorageFullError),
        (Code.PERMISSION_DENIED, "etcdserver: permission denied", StorageError),
    ],
)
def test_codes_and_words(code: grpc.StatusCode, text: str, expected: type[Exception]) -> None:
    nothing = grpc.aio.Metadata()
    error = grpc.aio.AioRpcError(code, nothing, nothing, details=text, debug_error_string=None)
    assert type(_translate(error, 7)) is expected
