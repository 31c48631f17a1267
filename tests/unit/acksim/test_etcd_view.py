"""What the first bytes of a stored value say."""

import base64

from acksim.clients.etcd import describe, hexdump
from kubernetes_kms.v2_pb2 import EncryptedObject

VERSION = "0f6f2a51-8f5c-4f0c-9f0e-0123456789ab"
BLOB = base64.b64encode(VERSION.encode() + b"\x01" + bytes(60))


def test_a_v1_value_names_its_provider_and_key_version() -> None:
    value = b"k8s:enc:kms:v1:ack:" + len(BLOB).to_bytes(2, "big") + BLOB + b"sealed"
    sealed = describe(value)
    assert sealed.prefix == "k8s:enc:kms:v1:ack:"
    assert sealed.key_version == VERSION
    assert sealed.wrapped_dek_bytes == len(BLOB)
    assert not sealed.plain


def test_a_v2_value_names_its_key_id() -> None:
    body = EncryptedObject(
        encrypted_data=b"x", key_id=f"key-1/{VERSION}", encrypted_dek_source=BLOB
    ).SerializeToString()
    sealed = describe(b"k8s:enc:kms:v2:ack:" + body)
    assert sealed.key_id == f"key-1/{VERSION}"
    assert sealed.key_version == VERSION


def test_plain_values_say_so() -> None:
    assert describe(b"k8s\0\n").plain
    assert describe(b'{"kind":"Secret"}').plain
    assert describe(b"").plain


def test_damaged_values_do_not_raise() -> None:
    for value in (
        b"k8s:enc:kms:v1:ack:",
        b"k8s:enc:kms:v1:ack:\xff",
        b"k8s:enc:kms:v1:ack:\xff\xffshort",
        b"k8s:enc:kms:v1:ack:\x00\x03!!!rest",
        b"k8s:enc:kms:v2:ack:\xff\xff\xff",
        b"k8s:enc:kms:v3:ack:",
    ):
        assert describe(value).key_version is None


def test_the_hexdump_shows_offset_hex_and_text_and_stops() -> None:
    lines = list(hexdump(b"k8s:enc:kms:v1:\x00\xff" + bytes(100), limit=32))
    assert lines[0] == ("000000  6b 38 73 3a 65 6e 63 3a 6b 6d 73 3a 76 31 3a 00  k8s:enc:kms:v1:.")
    assert lines[2] == "… 85 bytes more"
    assert len(lines) == 3
