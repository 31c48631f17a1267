"""The blob: what it hides, what it binds, and that nothing else opens it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_emulator.ciphertext import context_bytes, open_blob, parse, seal
from kms_emulator.errors import UnreadableBlobError
from kms_emulator.keys import Key, KeyVersion, PrimaryKeyVersion, Scope

NOW = datetime(2026, 5, 1, tzinfo=UTC)
OLD = KeyVersion("00000000-0000-4000-8000-00000000000a", NOW, bytes(32))
KEY = Key(
    scope=Scope("1000000000000001", "cn-hangzhou"),
    id="11111111-1111-4111-8111-111111111111",
    created_at=NOW,
    primary=PrimaryKeyVersion("22222222-2222-4222-8222-222222222222", NOW, bytes(range(32))),
    retired=(OLD,),
    creator="1000000000000001",
)
CONTEXTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)


def sealed(plaintext: bytes, context: dict[str, str] | None = None, key: Key = KEY) -> bytes:
    return seal(
        key, key.primary, plaintext=plaintext, context=context or {}, token_bytes=token_bytes
    )


def opened(blob: bytes, context: dict[str, str] | None = None, key: Key = KEY) -> bytes:
    parsed = parse(blob)
    version = key.version(parsed.version_id)
    if version is None:
        raise UnreadableBlobError
    return open_blob(key, version, blob=parsed, context=context or {})


@given(plaintext=st.binary(max_size=200), context=CONTEXTS)
def test_what_was_sealed_opens(plaintext: bytes, context: dict[str, str]) -> None:
    assert opened(sealed(plaintext, context), context) == plaintext


@given(data=st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    blob = bytearray(sealed(b"secret", {"a": "b"}))
    bit = data.draw(st.integers(0, len(blob) * 8 - 1))
    blob[bit // 8] ^= 1 << bit % 8
    with pytest.raises(UnreadableBlobError):
        opened(bytes(blob), {"a": "b"})


@given(used=CONTEXTS, claimed=CONTEXTS)
def test_only_an_equal_context_opens(used: dict[str, str], claimed: dict[str, str]) -> None:
    blob = sealed(b"secret", used)
    if used == claimed:
        assert opened(blob, claimed) == b"secret"
    else:
        with pytest.raises(UnreadableBlobError):
            opened(blob, claimed)


@given(first=CONTEXTS, second=CONTEXTS)
def test_context_bytes_are_equal_exactly_when_contexts_are(
    first: dict[str, str], second: dict[str, str]
) -> None:
    assert (context_bytes(first) == context_bytes(second)) == (first == second)


def test_context_bytes_know_where_a_name_ends() -> None:
    assert context_bytes({"a": "bc"}) != context_bytes({"ab": "c"})
    assert context_bytes({"x": "1", "y": "2"}) == context_bytes({"y": "2", "x": "1"})


@given(st.binary(max_size=120))
def test_arbitrary_bytes_are_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableBlobError):
        opened(data)


def test_every_truncation_is_refused() -> None:
    blob = sealed(b"secret")
    for length in range(len(blob)):
        with pytest.raises(UnreadableBlobError):
            opened(blob[:length])


def test_a_blob_is_bound_to_its_key_and_version() -> None:
    """Even where the key material is the same."""
    blob = sealed(b"secret")
    with pytest.raises(UnreadableBlobError):
        opened(blob, key=replace(KEY, id=KEY.id.replace("1", "3")))
    twin = replace(OLD, material=KEY.primary.material)
    with pytest.raises(UnreadableBlobError):
        open_blob(KEY, twin, blob=parse(blob), context={})


def test_a_retired_version_still_opens() -> None:
    primary = PrimaryKeyVersion(OLD.id, OLD.created_at, OLD.material)
    blob = sealed(b"old", key=replace(KEY, primary=primary, retired=()))
    assert parse(blob).version_id == OLD.id
    assert opened(blob) == b"old"


def test_no_two_blobs_share_a_nonce() -> None:
    nonces = {parse(sealed(b"same")).nonce for _ in range(1000)}
    assert len(nonces) == 1000


def test_a_wrapped_dek_stays_under_a_kilobyte() -> None:
    dek = b64encode(bytes(32))
    blob = b64encode(sealed(dek))
    assert blob.startswith(b64encode(KEY.primary.id.encode()))
    assert len(blob) == 148


def test_key_material_is_not_in_a_repr() -> None:
    assert repr(bytes(range(32)))[2:20] not in repr(KEY)
