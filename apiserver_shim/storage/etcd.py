"""Thin asyncio client of the etcd v3 API, in the shapes an API server needs.

Upstream's shapes (go.etcd.io/etcd client/v3/kubernetes): linearizable ranges, and transactions of
one compare and one operation. Nothing else of etcd is used here.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc
import grpc.aio

from apiserver_shim.errors import (
    CompactedError,
    FutureRevisionError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
    TooLargeError,
)
from apiserver_shim.storage.etcd_pb2 import (
    CompactionRequest,
    CompactionResponse,
    Compare,
    DeleteRangeRequest,
    KeyValue,
    PutRequest,
    RangeRequest,
    RangeResponse,
    RequestOp,
    TxnRequest,
    TxnResponse,
    WatchRequest,
    WatchResponse,
)

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A transaction that was applied must not be sent again: its compare would fail the second time.
    ("grpc.enable_retries", 0),
    # An etcd that comes back is found again within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
_REQUIRE_LEADER = (("hasleader", "true"),)
_NOT_SENT = "failed to connect to all addresses"  # gRPC core, before a request leaves


@dataclass(frozen=True, slots=True)
class EtcdTls:
    """PEM bytes for https endpoints; ``key`` and ``certificate`` only for client certificates."""

    authority: bytes
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)


class Read(NamedTuple):
    """A single key, None when absent, and the store's revision then."""

    kv: KeyValue | None
    revision: int


class Range(NamedTuple):
    """Keys in order; ``total`` is how many the range holds, this page included."""

    kvs: Sequence[KeyValue]
    revision: int
    total: int


class Written(NamedTuple):
    """A transaction's outcome; when the compare failed, ``kv`` is what stands there instead."""

    succeeded: bool
    revision: int
    kv: KeyValue | None


def prefix_end(prefix: bytes) -> bytes:
    """Return the end of the range that holds every key beginning with ``prefix``."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


class _Member:
    """One endpoint: its channel and the calls on it."""

    def __init__(self, endpoint: str, tls: EtcdTls | None) -> None:
        scheme, _, address = endpoint.rpartition("://")
        address = address.rstrip("/")
        if scheme == "https":
            pem = tls or EtcdTls(authority=b"")
            credentials = grpc.ssl_channel_credentials(
                pem.authority or None, pem.key, pem.certificate
            )
            channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
        else:
            channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self.channel = channel
        self.range = channel.unary_unary(
            "/etcdserverpb.KV/Range", RangeRequest.SerializeToString, RangeResponse.FromString
        )
        self.txn = channel.unary_unary(
            "/etcdserverpb.KV/Txn", TxnRequest.SerializeToString, TxnResponse.FromString
        )
        self.compact = channel.unary_unary(
            "/etcdserverpb.KV/Compact",
            CompactionRequest.SerializeToString,
            CompactionResponse.FromString,
        )
        self.watch = channel.stream_stream(
            "/etcdserverpb.Watch/Watch", WatchRequest.SerializeToString, WatchResponse.FromString
        )


class EtcdClient:
    """Connections to one etcd cluster, shared by every store.

    Calls go to one member until it fails; then the next one takes over. Every call ends within
    ``timeout`` seconds with an answer or StorageUnavailableError.
    """

    def __init__(
        self, endpoints: Sequence[str], *, tls: EtcdTls | None = None, timeout: float = 5.0
    ) -> None:
        if not endpoints:
            raise StorageError("no etcd endpoint given")
        self._members = tuple(_Member(endpoint, tls) for endpoint in endpoints)
        self._member = self._members[0]
        self._timeout = timeout

    async def close(self) -> None:
        """Close the connections; running calls and watches end."""
        for member in self._members:
            await member.channel.close(None)

    async def get(self, key: bytes) -> Read:
        """Read one key."""
        response = await self._range(RangeRequest(key=key, limit=1))
        kvs = response.kvs
        return Read(kvs[0] if kvs else None, response.header.revision)

    async def list(self, key: bytes, end: bytes, *, limit: int = 0, revision: int = 0) -> Range:
        """Read the keys in [key, end) at ``revision``; see CompactedError, FutureRevisionError."""
        request = RangeRequest(key=key, range_end=end, limit=limit, revision=revision)
        response = await self._range(request)
        return Range(response.kvs, response.header.revision, response.count)

    async def count(self, key: bytes, end: bytes) -> int:
        """Count the keys in [key, end)."""
        response = await self._range(RangeRequest(key=key, range_end=end, count_only=True))
        return response.count

    async def create(self, key: bytes, value: bytes) -> Written:
        """Put ``key`` unless it exists."""
        return await self._txn(
            TxnRequest(
                compare=(Compare(target=Compare.MOD, key=key, mod_revision=0),),
                success=(RequestOp(request_put=PutRequest(key=key, value=value)),),
            )
        )

    async def update(self, key: bytes, value: bytes, *, revision: int) -> Written:
        """Put ``key`` if its mod_revision is still ``revision``, else read it."""
        return await self._txn(
            TxnRequest(
                compare=(Compare(target=Compare.MOD, key=key, mod_revision=revision),),
                success=(RequestOp(request_put=PutRequest(key=key, value=value)),),
                failure=(RequestOp(request_range=RangeRequest(key=key, limit=1)),),
            )
        )

    async def delete(self, key: bytes, *, revision: int) -> Written:
        """Delete ``key`` if its mod_revision is still ``revision``, else read it."""
        return await self._txn(
            TxnRequest(
                compare=(Compare(target=Compare.MOD, key=key, mod_revision=revision),),
                success=(RequestOp(request_delete_range=DeleteRangeRequest(key=key)),),
                failure=(RequestOp(request_range=RangeRequest(key=key, limit=1)),),
            )
        )

    async def delete_prefix(self, prefix: bytes) -> None:
        """Delete every key that begins with ``prefix``: a logical cluster's end."""
        everything = DeleteRangeRequest(key=prefix, range_end=prefix_end(prefix))
        await self._txn(TxnRequest(success=(RequestOp(request_delete_range=everything),)))

    async def compact(self, revision: int) -> None:
        """Forget what is older than ``revision``."""
        member = self._member
        try:
            await member.compact(CompactionRequest(revision=revision), timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise self._failed(member, error, revision) from None

    async def watch_once(self, request: WatchRequest) -> AsyncGenerator[WatchResponse]:
        """Yield one watch's responses until the stream breaks: StorageUnavailableError then."""
        member = self._member
        call = member.watch(None, metadata=_REQUIRE_LEADER)
        try:
            await call.write(request)
            async for response in call:
                yield response
            raise StorageUnavailableError("etcd ended the watch")
        except grpc.aio.AioRpcError as error:
            raise self._failed(member, error, 0) from None
        finally:
            call.cancel()

    async def _range(self, request: RangeRequest) -> RangeResponse:
        failure: Exception
        for _ in self._members:
            member = self._member
            try:
                response: RangeResponse = await member.range(request, timeout=self._timeout)
                return response
            except grpc.aio.AioRpcError as error:
                failure = self._failed(member, error, request.revision)
                # A read may be repeated elsewhere, but not beyond the caller's patience.
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    break
        raise failure from None

    async def _txn(self, request: TxnRequest) -> Written:
        failure: Exception
        for _ in self._members:
            member = self._member
            try:
                response: TxnResponse = await member.txn(request, timeout=self._timeout)
            except grpc.aio.AioRpcError as error:
                failure = self._failed(member, error, 0)
                # Only a write that never left may go to another member.
                if not (error.details() or "").startswith(_NOT_SENT):
                    break
            else:
                return _written(response)
        raise failure from None

    def _failed(self, member: _Member, error: grpc.aio.AioRpcError, revision: int) -> Exception:
        failure = _translate(error, revision)
        if isinstance(failure, StorageUnavailableError) and self._member is member:
            following = self._members.index(member) + 1
            self._member = self._members[following % len(self._members)]
        return failure


def _written(response: TxnResponse) -> Written:
    revision = response.header.revision
    if response.succeeded or not response.responses:
        return Written(response.succeeded, revision, None)
    kvs = response.responses[0].response_range.kvs
    return Written(False, revision, kvs[0] if kvs else None)


def _translate(error: grpc.aio.AioRpcError, revision: int) -> Exception:
    """Turn etcd's error into ours, keeping its words."""
    code, text = error.code(), error.details() or ""
    match code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return StorageUnavailableError(text)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return StorageUnavailableError("etcdserver: request timed out")
        case grpc.StatusCode.OUT_OF_RANGE if "compacted" in text:
            return CompactedError(revision)
        case grpc.StatusCode.OUT_OF_RANGE if "future" in text:
            return FutureRevisionError(revision)
        case grpc.StatusCode.INVALID_ARGUMENT if "too large" in text:
            return TooLargeError(text)
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" in text:
            return TooLargeError(text)
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "space exceeded" in text:
            return StorageFullError(text)
    return StorageError(text or code.name)
