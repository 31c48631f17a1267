"""Thin asyncio client of the etcd v3 API, in the shapes an API server needs.

Upstream's shapes (go.etcd.io/etcd client/v3/kubernetes): linearizable ranges, and transactions of
one compare and one operation. Nothing else of etcd is used here.
"""

import logging
from collections.abc import AsyncGenerator, Sequence
from functools import partial
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
from apiserver_shim.storage.etcd_auth import EtcdUser, Metadata, Session
from apiserver_shim.storage.etcd_member import EtcdTls, Member
from apiserver_shim.storage.etcd_pb2 import (
    CompactionRequest,
    Compare,
    DeleteRangeRequest,
    KeyValue,
    LeaseGrantRequest,
    LeaseGrantResponse,
    PutRequest,
    RangeRequest,
    RangeResponse,
    RequestOp,
    TxnRequest,
    TxnResponse,
    WatchRequest,
    WatchResponse,
)

logger = logging.getLogger(__name__)

_REQUIRE_LEADER = (("hasleader", "true"),)
# How a member that ran out of time, or died in the middle, is told without a code for it.
_BROKEN_OFF = (
    "context deadline exceeded",
    "context canceled",
    "Stream removed",
    "Received RST_STREAM",
)
_NOT_SENT = "failed to connect to all addresses"  # gRPC core, before a request leaves


class Read(NamedTuple):
    """A single key, None when absent, and the store's revision then."""

    kv: KeyValue | None
    revision: int


class Range(NamedTuple):
    """Keys in order; ``total`` is how many the range holds, this page included."""

    kvs: Sequence[KeyValue]
    revision: int
    total: int


class Claimed(NamedTuple):
    """A claim's outcome; ``version`` is the key's now, whoever wrote it."""

    succeeded: bool
    revision: int
    version: int


class Written(NamedTuple):
    """A transaction's outcome; when the compare failed, ``kv`` is what stands there instead."""

    succeeded: bool
    revision: int
    kv: KeyValue | None


def prefix_end(prefix: bytes) -> bytes:
    """Return the end of the range that holds every key beginning with ``prefix``."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


class EtcdClient:
    """Connections to one etcd cluster, shared by every store.

    Calls go to one member until it fails; then the next one takes over. Every call ends within
    ``timeout`` seconds with an answer or StorageUnavailableError.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        tls: EtcdTls | None = None,
        user: EtcdUser | None = None,
        timeout: float = 5.0,
    ) -> None:
        if not endpoints:
            raise StorageError("no etcd endpoint given")
        self._members = tuple(Member(endpoint, tls) for endpoint in endpoints)
        self._member = self._members[0]
        self._timeout = timeout
        self._session = Session(user)
        self._newest = 0
        self.resets = 0  # how often the store was found to have lost its past

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

    async def grant_lease(self, seconds: int) -> int:
        """Return a new lease: what is stored under it goes after ``seconds``."""
        member = self._member
        try:
            request = LeaseGrantRequest(TTL=seconds)
            response: LeaseGrantResponse = await self._call(member, member.grant_lease, request)
        except grpc.aio.AioRpcError as error:
            raise self._failed(member, error, 0) from None
        return response.ID

    async def create(self, key: bytes, value: bytes, *, lease: int = 0) -> Written:
        """Put ``key`` unless it exists."""
        return await self._txn(
            TxnRequest(
                compare=(Compare(target=Compare.MOD, key=key, mod_revision=0),),
                success=(RequestOp(request_put=PutRequest(key=key, value=value, lease=lease)),),
            )
        )

    async def update(self, key: bytes, value: bytes, *, revision: int, lease: int = 0) -> Written:
        """Put ``key`` if its mod_revision is still ``revision``, else read it."""
        return await self._txn(
            TxnRequest(
                compare=(Compare(target=Compare.MOD, key=key, mod_revision=revision),),
                success=(RequestOp(request_put=PutRequest(key=key, value=value, lease=lease)),),
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

    async def claim(self, key: bytes, value: bytes, *, version: int) -> Claimed:
        """Put ``key`` if its version is still ``version``, else read it."""
        response = await self._transact(
            TxnRequest(
                compare=(Compare(target=Compare.VERSION, key=key, version=version),),
                success=(RequestOp(request_put=PutRequest(key=key, value=value)),),
                failure=(RequestOp(request_range=RangeRequest(key=key, limit=1)),),
            )
        )
        if response.succeeded:
            return Claimed(True, response.header.revision, version + 1)
        found = response.responses[0].response_range.kvs
        return Claimed(False, response.header.revision, found[0].version if found else 0)

    async def delete_prefix(self, prefix: bytes) -> None:
        """Delete every key that begins with ``prefix``: a logical cluster's end.

        Not in a transaction, which etcd before 3.5.7 refuses when its space is used up.
        """
        everything = DeleteRangeRequest(key=prefix, range_end=prefix_end(prefix))
        member = self._member
        try:
            await self._call(member, member.delete_range, everything)
        except grpc.aio.AioRpcError as error:
            raise self._failed(member, error, 0) from None

    async def compact(self, revision: int) -> None:
        """Forget what is older than ``revision``."""
        member = self._member
        try:
            await self._call(member, member.compact, CompactionRequest(revision=revision))
        except grpc.aio.AioRpcError as error:
            raise self._failed(member, error, revision) from None

    async def watch_once(self, request: WatchRequest) -> AsyncGenerator[WatchResponse]:
        """Yield one watch's responses until the stream breaks: StorageUnavailableError then."""
        if self._session.needed:
            # A watch does not say well that its token was refused; a read does, and gets a new one.
            await self._range(RangeRequest(key=request.create_request.key, limit=1))
        member = self._member
        call = member.watch(None, metadata=_REQUIRE_LEADER + self._session.metadata)
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
        newest = self._newest
        for _ in self._members:
            member = self._member
            try:
                response: RangeResponse = await self._call(member, member.range, request)
                self._saw(response.header.revision, newest)
                return response
            except grpc.aio.AioRpcError as error:
                failure = self._failed(member, error, request.revision)
                # A read may be repeated elsewhere, but not beyond the caller's patience.
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    break
        raise failure from None

    async def _txn(self, request: TxnRequest) -> Written:
        return _written(await self._transact(request))

    async def _transact(self, request: TxnRequest) -> TxnResponse:
        failure: Exception
        newest = self._newest
        for _ in self._members:
            member = self._member
            try:
                response: TxnResponse = await self._call(member, member.txn, request)
                self._saw(response.header.revision, newest)
                return response
            except grpc.aio.AioRpcError as error:
                failure = self._failed(member, error, 0)
                # Only a write that never left may go to another member.
                if not (error.details() or "").startswith(_NOT_SENT):
                    break
        raise failure from None

    async def _call(self, member: Member, method: Any, request: Any) -> Any:
        def attempt(metadata: Metadata) -> Any:
            return method(request, timeout=self._timeout, metadata=metadata)

        return await self._session.call(
            partial(member.authenticate, timeout=self._timeout), attempt
        )

    def _saw(self, revision: int, newest: int) -> None:
        """Notice a store that is younger than it was when this request was sent."""
        if revision >= newest:
            self._newest = max(self._newest, revision)
            return
        logger.warning(
            "etcd's revision went back from %d to %d: it was restored, emptied, or lost writes",
            newest,
            revision,
        )
        self._newest = revision
        self.resets += 1

    def _failed(self, member: Member, error: grpc.aio.AioRpcError, revision: int) -> Exception:
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
        case grpc.StatusCode.UNKNOWN | grpc.StatusCode.INTERNAL if text.startswith(_BROKEN_OFF):
            return StorageUnavailableError(text)
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
