"""Raw etcd values beside what they mean: who sealed them, and with which key version.

Nothing is decrypted here. The layouts are those of k8s.io/apiserver's `value/encrypt`.
"""

import base64
import binascii
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError

from apiserver_shim.storage.etcd import prefix_end
from apiserver_shim.storage.etcd_pb2 import KeyValue, RangeRequest, RangeResponse
from kubernetes_kms.v2_pb2 import EncryptedObject

_TIMEOUT_SECONDS = 10.0
_PREFIX = re.compile(rb"k8s:enc:(kms:v1|kms:v2|aescbc:v1|aesgcm:v1|secretbox:v1):([^:]+):")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PRINTABLE = frozenset((string.ascii_letters + string.digits + string.punctuation + " ").encode())
_CIPHERS = {
    "kms:v1": "AES-256-GCM, a DEK of its own",
    "kms:v2": "AES-256-GCM, a DEK derived from a seed (HKDF-SHA256)",
    "aescbc:v1": "AES-CBC",
    "aesgcm:v1": "AES-GCM",
    "secretbox:v1": "XSalsa20-Poly1305",
}


class EtcdViewError(Exception):
    """What was asked for is not in etcd."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """How a value is sealed. `key_version` is the KMS key version that wrapped its DEK."""

    prefix: str
    by: str
    cipher: str | None = None
    wrapped_dek_bytes: int | None = None
    key_id: str | None = None
    key_version: str | None = None

    @property
    def plain(self) -> bool:
        return self.cipher is None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def describe(value: bytes) -> Sealed:
    """What the first bytes of a stored value say."""
    found = _PREFIX.match(value)
    if found is None:
        encoding = "Kubernetes protobuf" if value.startswith(b"k8s\0") else "JSON or other"
        return Sealed(prefix="", by=f"nobody: plain {encoding}")
    scheme, name = found[1].decode(), found[2].decode(errors="replace")
    prefix, body = found[0].decode(errors="replace"), value[found.end() :]
    by = f"{scheme} {name}"
    if scheme == "kms:v1":
        wrapped = _v1_wrapped_dek(body)
        version = None if wrapped is None else _key_version(wrapped)
        size = None if wrapped is None else len(wrapped)
        return Sealed(prefix, by, _CIPHERS[scheme], size, None, version)
    if scheme == "kms:v2":
        return _describe_v2(prefix, by, body)
    return Sealed(prefix, by, _CIPHERS[scheme])


def hexdump(value: bytes, *, limit: int) -> Iterator[str]:
    """Lines of offset, 16 bytes in hex, and their printable characters."""
    for start in range(0, min(len(value), limit), 16):
        row = value[start : start + 16]
        text = "".join(chr(byte) if byte in _PRINTABLE else "." for byte in row)
        yield f"{start:06x}  {row.hex(' '):<47}  {text}"
    if len(value) > limit:
        yield f"… {len(value) - limit} bytes more"


def read_prefix(endpoints: Sequence[str], prefix: str) -> list[tuple[str, bytes]]:
    """Every key that begins with `prefix`, and its raw value."""
    start = prefix.encode()
    pairs = _range(endpoints, RangeRequest(key=start, range_end=prefix_end(start)))
    return [(pair.key.decode(errors="replace"), pair.value) for pair in pairs]


def read_one(endpoints: Sequence[str], key: str) -> bytes:
    """The raw value of one key; raises EtcdViewError when there is none."""
    for pair in _range(endpoints, RangeRequest(key=key.encode())):
        return pair.value
    raise EtcdViewError(f"etcd has no key {key}; `acksim etcd ls` shows what it has")


def _range(endpoints: Sequence[str], request: RangeRequest) -> Sequence[KeyValue]:
    """Synchronous, so that it works in a test that runs an event loop as well as in a command."""
    target = urlsplit(endpoints[0]).netloc or endpoints[0]
    with grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]) as etcd:
        call = etcd.unary_unary(
            "/etcdserverpb.KV/Range",
            request_serializer=RangeRequest.SerializeToString,
            response_deserializer=RangeResponse.FromString,
        )
        try:
            answer = call(request, timeout=_TIMEOUT_SECONDS, wait_for_ready=True)
        except grpc.RpcError as error:
            raise EtcdViewError(f"etcd at {target} does not answer: {error.details()}") from None
    return list(answer.kvs)


def _describe_v2(prefix: str, by: str, body: bytes) -> Sealed:
    try:
        sealed = EncryptedObject.FromString(body)
    except DecodeError:
        return Sealed(prefix, by, "unreadable: not an EncryptedObject")
    source = bytes(sealed.encrypted_dek_source)
    version = sealed.key_id.rpartition("/")[2] if "/" in sealed.key_id else _key_version(source)
    return Sealed(prefix, by, _CIPHERS["kms:v2"], len(source), sealed.key_id, version)


def _v1_wrapped_dek(body: bytes) -> bytes | None:
    if len(body) < 2:
        return None
    size = int.from_bytes(body[:2], "big")
    return body[2 : 2 + size] if len(body) >= 2 + size else None


def _key_version(wrapped: bytes) -> str | None:
    """Alibaba Cloud's CiphertextBlob begins, once base64 is undone, with its key version id."""
    try:
        blob = base64.b64decode(wrapped, validate=True)
    except (binascii.Error, ValueError):
        return None
    head = blob[:36].decode("ascii", errors="replace")
    return head if _UUID.fullmatch(head) else None
