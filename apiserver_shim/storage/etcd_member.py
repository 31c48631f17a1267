"""One endpoint of an etcd cluster: its channel and the calls on it."""

from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from apiserver_shim.storage.etcd_pb2 import (
    AuthenticateRequest,
    AuthenticateResponse,
    CompactionRequest,
    CompactionResponse,
    DeleteRangeRequest,
    DeleteRangeResponse,
    LeaseGrantRequest,
    LeaseGrantResponse,
    RangeRequest,
    RangeResponse,
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


@dataclass(frozen=True, slots=True)
class EtcdTls:
    """PEM bytes for https endpoints; ``key`` and ``certificate`` only for client certificates."""

    authority: bytes
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)


class Member:
    """One endpoint: its channel and the calls on it."""

    def __init__(self, endpoint: str, tls: EtcdTls | None) -> None:
        scheme, _, address = endpoint.rpartition("://")
        # A unix socket's address is a path: `unix:///run/etcd.sock`.
        address = f"unix:{address}" if scheme == "unix" else address.rstrip("/")
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
        self.delete_range = channel.unary_unary(
            "/etcdserverpb.KV/DeleteRange",
            DeleteRangeRequest.SerializeToString,
            DeleteRangeResponse.FromString,
        )
        self.compact = channel.unary_unary(
            "/etcdserverpb.KV/Compact",
            CompactionRequest.SerializeToString,
            CompactionResponse.FromString,
        )
        self.grant_lease = channel.unary_unary(
            "/etcdserverpb.Lease/LeaseGrant",
            LeaseGrantRequest.SerializeToString,
            LeaseGrantResponse.FromString,
        )
        self.authenticate = channel.unary_unary(
            "/etcdserverpb.Auth/Authenticate",
            AuthenticateRequest.SerializeToString,
            AuthenticateResponse.FromString,
        )
        self.watch = channel.stream_stream(
            "/etcdserverpb.Watch/Watch", WatchRequest.SerializeToString, WatchResponse.FromString
        )
