"""Whatever lies in etcd or comes as a token: an answer or a named error, never a wrong object."""

import base64
import json
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apiserver_shim.encryption.envelope_v1 import EnvelopeV1
from apiserver_shim.encryption.envelope_v2 import EnvelopeV2, Status, Wrapped
from apiserver_shim.encryption.local_keys import key_chain
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.transformer import Identity, PrefixChain, Prefixed, Transformer
from apiserver_shim.errors import ContinueTokenError, DecodeError, TransformError
from apiserver_shim.storage import codec, continue_token
from apiserver_shim.storage.continue_token import ContinueToken
from kubernetes_kms.v2_pb2 import EncryptedObject

PATH = b"/registry/secrets/default/app1"
SECRET: dict[str, Any] = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {
        "name": "app1",
        "namespace": "default",
        "uid": "00000000-0000-0000-0000-000000000001",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"a": "b"},
        "managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": {"f:data": {}}}],
    },
    "data": {"password": "cGxhaW50ZXh0LW1hcmtlcg=="},
    "type": "Opaque",
}
ENCODED = codec.encode(SECRET)
DECODED = codec.decode(ENCODED)
KEY = b"k" * 32


class Plugin:
    """Wraps by naming: opens what it wrapped itself, and nothing else."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    async def encrypt(self, plain: bytes) -> bytes:
        wrapped = b"WRAPPED-%d" % len(self._known)
        self._known[wrapped] = plain
        return wrapped

    async def decrypt(self, cipher: bytes) -> bytes:
        if cipher not in self._known:
            raise TransformError("rpc error: code = InvalidArgument desc = bad cipher")
        return self._known[cipher]


class PluginV2:
    def __init__(self) -> None:
        self._plugin = Plugin()

    async def status(self) -> Status:
        return Status("v2", "ok", "key-1")

    async def encrypt(self, plaintext: bytes, *, uid: str) -> Wrapped:
        return Wrapped(await self._plugin.encrypt(plaintext), "key-1", {"kek.example.com": b"1"})

    async def decrypt(self, wrapped: Wrapped, *, uid: str) -> bytes:
        return await self._plugin.decrypt(wrapped.ciphertext)


async def transformer(provider: str) -> Transformer:
    identity = Prefixed(b"", Identity())
    if provider == "v1":
        v1 = EnvelopeV1(Plugin(), cache_size=10, token_bytes=bytes)
        link = Prefixed(b"k8s:enc:kms:v1:ack:", v1)
    elif provider == "v2":
        v2 = EnvelopeV2("ack", PluginV2(), Runtime(lambda: datetime(2026, 1, 1, tzinfo=UTC)))
        await v2.poll()
        link = Prefixed(b"k8s:enc:kms:v2:ack:", v2)
    else:
        link = key_chain(provider, [("one", KEY)], lambda size: b"n" * size)
    return PrefixChain([link, identity], unmatched="no matching prefix found")


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """One thing that may have happened to stored bytes."""
    kind = draw(st.sampled_from(["cut", "flip", "insert", "repeat", "other prefix", "length"]))
    at, more = draw(st.floats(0, 1)), draw(st.binary(min_size=1, max_size=40))
    bit = draw(st.integers(0, 7))

    def damage(data: bytes) -> bytes:
        place = int(at * (len(data) - 1))
        match kind:
            case "cut":
                return data[:place]
            case "flip":
                return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            case "insert":
                return data[:place] + more + data[place:]
            case "repeat":
                return data + data[place:]
            case "other prefix":
                return more + data[place:]
            case _:
                return data[:place] + struct.pack(">H", 0xFFFF) + data[place + 2 :]

    return damage


@pytest.mark.parametrize("provider", ["aesgcm", "secretbox", "v1", "v2"])
@given(damage=damages())
async def test_a_damaged_value_is_refused_or_still_itself(
    provider: str, damage: Callable[[bytes], bytes]
) -> None:
    sealing = await transformer(provider)
    stored = damage(await sealing.to_storage(ENCODED, PATH))
    try:
        raw, _ = await sealing.from_storage(stored, PATH)
        assert codec.decode(raw) == DECODED
    except (TransformError, DecodeError):
        return


@pytest.mark.parametrize("provider", ["aescbc", "aesgcm", "secretbox", "v1", "v2"])
@given(tail=st.binary(max_size=300))
async def test_any_bytes_behind_a_prefix_are_a_named_error(provider: str, tail: bytes) -> None:
    sealing = await transformer(provider)
    stored = await sealing.to_storage(b"", PATH)
    prefix = stored[: stored.index(b":", len(b"k8s:enc:kms:v1")) + 1]
    for data in (tail, prefix + tail, b"k8s:enc:" + tail):
        try:
            raw, _ = await sealing.from_storage(data, PATH)
            codec.decode(raw)
        except (TransformError, DecodeError):
            continue


@given(
    sealed=st.binary(max_size=80),
    key_id=st.text(max_size=1100),
    source=st.binary(max_size=1100),
    annotations=st.dictionaries(
        st.sampled_from(["kek.example.com", "kek", "", "\u00e9.example.com", "a." * 200]),
        st.binary(max_size=33_000) | st.just(bytes(40_000)),
        max_size=3,
    ),
    kind=st.integers(-(1 << 31), (1 << 31) - 1),
)
async def test_any_encrypted_object_is_a_named_error(
    sealed: bytes, key_id: str, source: bytes, annotations: dict[str, bytes], kind: int
) -> None:
    sealing = await transformer("v2")
    fields = EncryptedObject(
        encrypted_data=sealed,
        key_id="".join(char for char in key_id if not "\ud800" <= char <= "\udfff"),
        encrypted_dek_source=source,
        annotations=annotations,
    )
    data = fields.SerializeToString() + b"\x28" + _varint(kind)
    with pytest.raises(TransformError):
        await sealing.from_storage(b"k8s:enc:kms:v2:ack:" + data, PATH)


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@given(damage=damages(), data=st.binary(max_size=200))
def test_a_damaged_encoding_is_an_object_or_a_decode_error(
    damage: Callable[[bytes], bytes], data: bytes
) -> None:
    for stored in (damage(ENCODED), data, codec.MAGIC + data, b"{" + data):
        try:
            obj = codec.decode(stored)
            assert isinstance(obj["metadata"], dict)
        except DecodeError:
            pass
        with suppress(DecodeError):
            codec.decode_body(stored)


EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "v1",
    "metadata": {**SECRET["metadata"], "generation": 7, "finalizers": ["a/b"]},
    "involvedObject": {"kind": "Secret", "name": "app1"},
    "firstTimestamp": "2026-01-01T00:00:00Z",
    "eventTime": "2026-01-01T00:00:00.000001Z",
    "count": 3,
}


@pytest.mark.parametrize("obj", [SECRET, EVENT], ids=lambda obj: obj["kind"])
def test_each_bit_and_each_cut_is_an_object_that_can_be_told_or_a_decode_error(
    obj: dict[str, Any],
) -> None:
    """What is decoded at all can be shown in every form, and be stored again as it is."""
    encoded = codec.encode(obj)
    flipped = [
        encoded[:at] + bytes([encoded[at] ^ 1 << bit]) + encoded[at + 1 :]
        for at in range(len(encoded))
        for bit in range(8)
    ]
    told = refused = 0
    for stored in (*flipped, *(encoded[:at] for at in range(len(encoded)))):
        try:
            found = codec.decode(stored, obj["kind"])
        except DecodeError:
            refused += 1
            continue
        told += 1
        assert orjson.loads(orjson.dumps(found)) == found
        shown = {**found, "apiVersion": "v1"}
        sent = codec.encode_body(shown)
        assert codec.encode_body(codec.decode_body(sent)) == sent
        raw, again = codec.as_stored(found)
        assert codec.as_stored(again) == (raw, again)
    assert told > 500
    assert refused > 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(stored=JSON)
def test_any_json_is_an_object_or_a_decode_error(stored: Any) -> None:
    try:
        text = orjson.dumps(stored)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits, or half a character
        return
    try:
        obj = codec.decode(text)
    except DecodeError:
        return
    assert isinstance(obj["metadata"], dict)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "v": st.sampled_from(["meta.k8s.io/v1", "v2", 1]),
        "rv": st.integers(-(1 << 65), 1 << 65) | st.booleans() | st.floats() | st.none(),
        "start": st.text(max_size=20) | st.integers() | st.sampled_from(["default/app1\0", "../x"]),
    },
)


@example(fields={"v": "meta.k8s.io/v1", "rv": 1 << 63, "start": "a"}, text="", noise=b"")
@example(fields={"v": "meta.k8s.io/v1", "rv": True, "start": "a"}, text="", noise=b"")
@given(fields=FIELDS | JSON, text=st.text(max_size=60), noise=st.binary(max_size=60))
def test_any_token_is_taken_or_refused(fields: Any, text: str, noise: bytes) -> None:
    tokens = [text, base64.urlsafe_b64encode(noise).decode()]
    tokens.append(base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("="))
    for token in tokens:
        try:
            taken = continue_token.decode(token)
        except ContinueTokenError:
            continue
        assert taken.start
        assert type(taken.revision) is int
        assert taken.revision == -1 or 0 < taken.revision < 1 << 63


SEGMENT = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True)


@given(
    start=st.lists(SEGMENT, min_size=1, max_size=2).map(lambda parts: "/".join(parts) + "\0"),
    revision=st.just(-1) | st.integers(1, (1 << 63) - 1),
)
def test_own_tokens_come_back(start: str, revision: int) -> None:
    token = ContinueToken(start, revision)
    assert continue_token.decode(token.encode()) == token
