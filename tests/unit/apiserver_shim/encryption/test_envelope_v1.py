"""KMS v1 values: upstream's bytes, one Encrypt a write, one Decrypt a DEK."""

import asyncio
from collections.abc import Callable

import pytest

from apiserver_shim.encryption import aead
from apiserver_shim.encryption.envelope_v1 import DekReader, EnvelopeV1, KeyWrapper
from apiserver_shim.errors import TransformError

PATH = b"/registry/secrets/default/app1"
DEK = bytes(range(0x20))
NONCE = bytes(range(0x60, 0x6C))
GOLDEN_SECRET = bytes.fromhex(
    "6b3873000a0c0a027631120653656372657412590a470a046170703112001a0764656661756c7422002a2430303030"
    "303030302d303030302d303030302d303030302d3030303030303030303030313200380042080880f2d6ca06100012"
    "060a01611201621a064f70617175651a002200"
)
GOLDEN_VALUE = bytes.fromhex(
    "6b38733a656e633a6b6d733a76313a61636b3a000b575241505045442d44454b606162636465666768696a6b81e3"
    "e855b14c896d0a27eb2d21e8a23143019bd08e2338ddc2d1f05d6ef2ed0fd6fc5e99d16761843b0bcfc52ee3ad9ab5"
    "189892194dc2f94ba68c4dd449bd608a2124f62a4a2ac9da426bd79c23d03f26876da24980c20fc6a50c3b9b6f7c4c"
    "650c8e01b47c6482f6cbfecd56c7f6eb7e4048345dd39086186e2181971871d4bc"
)
ENVELOPE = GOLDEN_VALUE.removeprefix(b"k8s:enc:kms:v1:ack:")


class Wrapper:
    """Wraps by reversing, counts its calls, and can be told to fail or to answer late."""

    def __init__(self, *, known: dict[bytes, bytes] | None = None) -> None:
        self.wrapped = {plain: cipher for cipher, plain in (known or {}).items()}
        self.encrypts = 0
        self.decrypts = 0
        self.failure = ""

    async def encrypt(self, plain: bytes) -> bytes:
        self.encrypts += 1
        await self._answer()
        return self.wrapped.get(plain, plain[::-1])

    async def decrypt(self, cipher: bytes) -> bytes:
        self.decrypts += 1
        await self._answer()
        return {cipher: plain for plain, cipher in self.wrapped.items()}.get(cipher, cipher[::-1])

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.failure:
            raise TransformError(self.failure)


def counting() -> Callable[[int], bytes]:
    count = 0

    def token_bytes(size: int) -> bytes:
        nonlocal count
        count += 1
        return count.to_bytes(size, "big")

    return token_bytes


def envelope(wrapper: KeyWrapper, *, cache_size: int = 1000) -> EnvelopeV1:
    return EnvelopeV1(wrapper, cache_size=cache_size, token_bytes=counting())


async def test_a_value_has_upstreams_bytes() -> None:
    chunks = iter((DEK, NONCE))
    wrapper = Wrapper(known={b"WRAPPED-DEK": DEK})
    sealing = EnvelopeV1(wrapper, cache_size=1, token_bytes=lambda _: next(chunks))
    assert await sealing.to_storage(GOLDEN_SECRET, PATH) == ENVELOPE
    assert await envelope(wrapper).from_storage(ENVELOPE, PATH) == (GOLDEN_SECRET, False)


async def test_every_write_has_a_dek_of_its_own() -> None:
    wrapper = Wrapper()
    sealing = envelope(wrapper)
    one, two = [await sealing.to_storage(b"value", PATH) for _ in range(2)]
    assert one[:34] != two[:34]
    assert wrapper.encrypts == 2


async def test_own_writes_are_read_without_the_plugin() -> None:
    wrapper = Wrapper()
    sealing = envelope(wrapper)
    stored = await sealing.to_storage(b"value", PATH)
    wrapper.failure = "gone"
    assert await sealing.from_storage(stored, PATH) == (b"value", False)
    with pytest.raises(TransformError, match=r"^gone$"):
        await sealing.to_storage(b"value", PATH)


async def test_concurrent_readers_of_one_dek_make_one_call() -> None:
    wrapper = Wrapper()
    stored = await envelope(wrapper).to_storage(b"value", PATH)
    reading = envelope(wrapper)
    answers = await asyncio.gather(*(reading.from_storage(stored, PATH) for _ in range(20)))
    assert set(answers) == {(b"value", False)}
    assert wrapper.decrypts == 1


async def test_a_reader_that_gives_up_does_not_fail_the_others() -> None:
    wrapper = Wrapper()
    stored = await envelope(wrapper).to_storage(b"value", PATH)
    reading = envelope(wrapper)
    first, second = (asyncio.ensure_future(reading.from_storage(stored, PATH)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == (b"value", False)
    assert wrapper.decrypts == 1


async def test_a_failed_decrypt_is_asked_again_the_next_time() -> None:
    wrapper = Wrapper()
    stored = await envelope(wrapper).to_storage(b"value", PATH)
    reading = envelope(wrapper)
    wrapper.failure = "rpc error: code = Unavailable desc = x"
    with pytest.raises(TransformError, match=r"^rpc error: code = Unavailable desc = x$"):
        await reading.from_storage(stored, PATH)
    wrapper.failure = ""
    assert await reading.from_storage(stored, PATH) == (b"value", False)


async def test_the_cache_keeps_what_was_used_last() -> None:
    wrapper = Wrapper()
    sealing = envelope(wrapper, cache_size=2)
    a, b = [await sealing.to_storage(b"value", PATH) for _ in range(2)]
    await sealing.from_storage(a, PATH)
    await sealing.to_storage(b"value", PATH)
    await sealing.from_storage(a, PATH)
    assert wrapper.decrypts == 0
    await sealing.from_storage(b, PATH)
    assert wrapper.decrypts == 1


async def test_a_negative_cache_size_keeps_nothing() -> None:
    wrapper = Wrapper()
    sealing = envelope(wrapper, cache_size=-1)
    stored = await sealing.to_storage(b"value", PATH)
    for _ in range(2):
        await sealing.from_storage(stored, PATH)
    assert wrapper.decrypts == 2


async def test_a_moved_value_does_not_open() -> None:
    wrapper = Wrapper(known={b"WRAPPED-DEK": DEK})
    # AES-CBC is tried second, as for values of Kubernetes before 1.25; both say why not.
    with pytest.raises(TransformError, match=r"^\[cipher: message authentication failed, .+\]$"):
        await envelope(wrapper).from_storage(ENVELOPE, b"/registry/secrets/default/app2")


async def test_cbc_of_old_servers_is_read_and_stale() -> None:
    wrapper = Wrapper(known={b"WRAPPED-DEK": DEK})
    stored = b"\x00\x0bWRAPPED-DEK" + aead.seal_cbc(DEK, b"value", iv=bytes(16))
    assert await envelope(wrapper).from_storage(stored, PATH) == (b"value", True)


@pytest.mark.parametrize("size", [0, 1, 2, 12])
async def test_a_value_shorter_than_its_dek_is_refused(size: int) -> None:
    with pytest.raises(TransformError, match="failed to read uint16 length prefixed data"):
        await envelope(Wrapper()).from_storage(ENVELOPE[:size], PATH)


async def test_a_wrapped_dek_that_does_not_fit_its_length_is_not_stored() -> None:
    wrapper = Wrapper(known={b"w" * 65536: (1).to_bytes(32, "big")})
    with pytest.raises(TransformError, match="65536 bytes"):
        await envelope(wrapper).to_storage(b"value", PATH)


def test_a_dek_that_was_read_cannot_seal() -> None:
    assert [name for name in dir(DekReader) if not name.startswith("_")] == ["open"]
