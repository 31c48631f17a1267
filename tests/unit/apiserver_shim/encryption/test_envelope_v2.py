"""KMS v2: upstream's bytes, the seed's life, and what a dead plugin leaves working."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from apiserver_shim.encryption import aead, seeds
from apiserver_shim.encryption.envelope_v2 import EnvelopeV2, Status, Wrapped
from apiserver_shim.encryption.probes import Probe, ask_v2
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.errors import TransformError
from kubernetes_kms.v2_pb2 import EncryptedObject

PATH = b"/registry/secrets/default/app1"
SEED = bytes(range(0x20))
INFO = bytes(range(0x40, 0x60))
NONCE = bytes(range(0x60, 0x6C))
GOLDEN_SECRET = bytes.fromhex(
    "6b3873000a0c0a027631120653656372657412590a470a046170703112001a0764656661756c7422002a2430303030"
    "303030302d303030302d303030302d303030302d3030303030303030303030313200380042080880f2d6ca06100012"
    "060a01611201621a064f70617175651a002200"
)
GOLDEN_VALUE = bytes.fromhex(
    "6b38733a656e633a6b6d733a76323a61636b3a0aad01404142434445464748494a4b4c4d4e4f5051525354555657"
    "58595a5b5c5d5e5f606162636465666768696a6b9499252206c0e19e9f1ec7044651fcccbc0b3d05a2b997e3b77989"
    "0a88cd54545bc3623e52cfcdd86504f78f56e731f1f59090c6ec7d190351970e290376af9af7a90dc8dc4fc303596d"
    "a780b736f5907b39b0b7a2212539f6a9c7dcad979293bbbbaba1b6c852c78d337ca8ee19e73e715ff30fac393c61df"
    "06dbbcccff25385d12056b65792d311a0b575241505045442d44454b221e0a196c6f63616c2d6b656b2e6b6d732e65"
    "78616d706c652e636f6d1201012801"
)
ENVELOPE = GOLDEN_VALUE.removeprefix(b"k8s:enc:kms:v2:ack:")


class Plugin:
    """Wraps every seed as WRAPPED-DEK; counts, and fails or changes its key when told to."""

    def __init__(self) -> None:
        self.key_id = "key-1"
        self.encrypt_key_id: str | None = None
        self.healthz = "ok"
        self.version = "v2beta1"
        self.failure = ""
        self.seeds: dict[bytes, bytes] = {}
        self.calls: list[str] = []

    async def status(self) -> Status:
        await self._answer("Status")
        return Status(self.version, self.healthz, self.key_id)

    async def encrypt(self, plaintext: bytes, *, uid: str) -> Wrapped:
        await self._answer("Encrypt")
        cipher = b"WRAPPED-DEK" + bytes(len(self.seeds))
        self.seeds[cipher] = plaintext
        annotations = {"local-kek.kms.example.com": b"\x01"}
        return Wrapped(cipher, self.encrypt_key_id or self.key_id, annotations)

    async def decrypt(self, wrapped: Wrapped, *, uid: str) -> bytes:
        await self._answer("Decrypt")
        return self.seeds[wrapped.ciphertext]

    async def _answer(self, call: str) -> None:
        self.calls.append(call)
        await asyncio.sleep(0)
        if self.failure:
            raise TransformError(self.failure)


class World:
    """A plugin and two clocks; ``advance`` moves only the simulated one."""

    def __init__(self) -> None:
        self.plugin = Plugin()
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.seconds = 0.0
        self.made = 0

    def envelope(self) -> EnvelopeV2:
        return EnvelopeV2("ack", self.plugin, self.runtime(self.token_bytes))

    def runtime(self, token_bytes: Callable[[int], bytes]) -> Runtime:
        return Runtime(lambda: self.moment, lambda: self.seconds, token_bytes)

    def token_bytes(self, size: int) -> bytes:
        self.made += 1
        return self.made.to_bytes(size, "big")

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_value_has_upstreams_bytes(world: World) -> None:
    chunks = iter((SEED, INFO, NONCE))
    envelope = EnvelopeV2("ack", world.plugin, world.runtime(lambda _: next(chunks)))
    await envelope.poll()
    stored = await envelope.to_storage(GOLDEN_SECRET, PATH)
    assert EncryptedObject.FromString(stored) == EncryptedObject.FromString(ENVELOPE)
    assert await envelope.from_storage(ENVELOPE, PATH) == (GOLDEN_SECRET, False)


async def test_writes_share_one_seed_and_reads_one_decrypt(world: World) -> None:
    writer = world.envelope()
    await writer.poll()
    stored = [await writer.to_storage(b"value", PATH) for _ in range(3)]
    assert world.plugin.calls == ["Status", "Encrypt"]
    reader = world.envelope()
    await reader.poll()
    world.plugin.calls.clear()
    answers = await asyncio.gather(*(reader.from_storage(value, PATH) for value in stored))
    assert set(answers) == {(b"value", False)}
    assert world.plugin.calls == ["Decrypt"]


async def test_without_one_good_status_nothing_can_be_read(world: World) -> None:
    writer = world.envelope()
    await writer.poll()
    stored = await writer.to_storage(b"value", PATH)
    world.plugin.failure = "rpc error: code = Unavailable desc = x"
    cold = world.envelope()
    await cold.poll_if_due()
    for attempt in (cold.from_storage(stored, PATH), cold.to_storage(b"value", PATH)):
        with pytest.raises(TransformError, match=r"^got unexpected nil transformer$"):
            await attempt


async def test_a_dead_plugin_stops_writes_after_three_minutes_but_no_cached_read(
    world: World,
) -> None:
    envelope = world.envelope()
    await envelope.poll()
    stored = await envelope.to_storage(b"value", PATH)
    world.plugin.failure = "rpc error: code = Unavailable desc = x"
    world.advance(180)
    await envelope.poll_if_due()
    await envelope.to_storage(b"value", PATH)
    world.advance(1)
    with pytest.raises(TransformError) as caught:
        await envelope.to_storage(b"value", PATH)
    assert caught.value.message == (
        f'encryptedDEKSource with keyID hash "{seeds.key_id_hash("key-1")}" expired at '
        "2026-01-01T00:03:00Z (current time is 2026-01-01T00:03:01Z)"
    )
    assert await envelope.from_storage(stored, PATH) == (b"value", False)


async def test_a_jump_of_the_clock_does_not_expire_a_healthy_plugin(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll()
    world.advance(8 * 86400)
    await envelope.to_storage(b"value", PATH)
    assert world.plugin.calls == ["Status", "Encrypt", "Status"]


async def test_writes_at_a_jump_of_the_clock_wait_for_the_poll_under_way(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll()
    world.advance(600)
    await asyncio.gather(*(envelope.to_storage(b"value", PATH) for _ in range(8)))
    assert world.plugin.calls.count("Status") == 2


async def test_an_expired_write_asks_a_dead_plugin_once_in_ten_seconds(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll()
    world.plugin.failure = "gone"
    world.advance(600)
    for _ in range(3):
        with pytest.raises(TransformError, match="expired at"):
            await envelope.to_storage(b"value", PATH)
    assert world.plugin.calls.count("Status") == 2
    world.plugin.failure = ""
    world.advance(10)
    await envelope.to_storage(b"value", PATH)


async def test_an_unhealthy_answer_with_a_key_id_keeps_writes_alive(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll()
    world.plugin.healthz = "key disabled"
    for _ in range(10):
        world.advance(60)
        with pytest.raises(TransformError) as caught:
            await envelope.poll()
        assert caught.value.message == (
            "kmsv2 Provider ack is not healthy, error: got unexpected healthz status: key disabled"
        )
        await envelope.to_storage(b"value", PATH)


async def test_polls_follow_the_clock_that_moved_most(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll_if_due()
    for seconds, polls in ((59, 1), (1, 2), (59, 2), (1, 3)):
        world.advance(seconds)
        await envelope.poll_if_due()
        assert world.plugin.calls.count("Status") == polls
    world.plugin.failure = "gone"
    world.seconds += 60
    await envelope.poll_if_due()
    world.seconds += 9.9
    await envelope.poll_if_due()
    assert world.plugin.calls.count("Status") == 4
    world.seconds += 0.1
    await envelope.poll_if_due()
    assert world.plugin.calls.count("Status") == 5


async def test_a_new_key_id_makes_a_new_seed_and_old_values_stale(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll()
    stored = await envelope.to_storage(b"value", PATH)
    world.plugin.key_id = "key-2"
    await envelope.poll()
    assert world.plugin.calls == ["Status", "Encrypt", "Status", "Encrypt"]
    assert await envelope.from_storage(stored, PATH) == (b"value", True)
    rewritten = await envelope.to_storage(b"value", PATH)
    assert EncryptedObject.FromString(rewritten).key_id == "key-2"
    assert await envelope.from_storage(rewritten, PATH) == (b"value", False)


async def test_a_key_id_that_encrypt_does_not_confirm_keeps_the_old_seed(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll()
    world.plugin.key_id, world.plugin.encrypt_key_id = "key-2", "key-3"
    with pytest.raises(TransformError) as caught:
        await envelope.poll()
    message = caught.value.message
    assert message.startswith(
        'kmsv2 Provider ack is not healthy, error: failed to rotate DEK uid="'
    )
    assert f'statusKeyIDHash="{seeds.key_id_hash("key-2")}"' in message
    assert f'encryptKeyIDHash="{seeds.key_id_hash("key-3")}"' in message
    assert f'stateKeyIDHash="{seeds.key_id_hash("key-1")}"' in message
    assert message.endswith("expirationTimestamp=2026-01-01T00:03:00Z")
    stored = await envelope.to_storage(b"value", PATH)
    assert EncryptedObject.FromString(stored).key_id == "key-1"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("v1", "expected KMSv2 API version v2, got v1"),
        ("v2", "should not change after the initial status response version v2beta1, got v2"),
    ],
)
async def test_the_version_must_be_known_and_stay(world: World, version: str, message: str) -> None:
    envelope = world.envelope()
    await envelope.poll()
    world.plugin.version = version
    with pytest.raises(TransformError, match=message):
        await envelope.poll()


@pytest.mark.parametrize(
    ("key_id", "message"),
    [
        ("", 'got invalid KMSv2 KeyID hash "": keyID is empty'),
        ("k" * 1025, "keyID is 1025 bytes, which exceeds the max size of 1024"),
    ],
)
async def test_a_bad_key_id_does_not_move_the_expiry(
    world: World, key_id: str, message: str
) -> None:
    envelope = world.envelope()
    await envelope.poll()
    world.plugin.key_id = key_id
    world.advance(181)
    with pytest.raises(TransformError, match=message):
        await envelope.poll()
    with pytest.raises(TransformError, match="expired at"):
        await envelope.to_storage(b"value", PATH)


async def test_expired_seeds_answer_until_somebody_writes(world: World) -> None:
    other = world.envelope()
    await other.poll()
    foreign = await other.to_storage(b"foreign", PATH)
    envelope = world.envelope()
    await envelope.poll()
    await envelope.from_storage(foreign, PATH)
    world.advance(86400)
    world.plugin.calls.clear()
    assert await envelope.from_storage(foreign, PATH) == (b"foreign", False)
    assert world.plugin.calls == []
    await envelope.to_storage(b"value", PATH)
    await envelope.from_storage(foreign, PATH)
    assert world.plugin.calls == ["Status", "Decrypt"]


async def test_a_dek_of_kubernetes_1_25_is_read_and_stale(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll()
    world.plugin.seeds[b"OLD"] = SEED
    obj = EncryptedObject(
        encrypted_data=aead.seal_gcm(aead.gcm(SEED), b"value", PATH, nonce=NONCE),
        key_id="key-1",
        encrypted_dek_source=b"OLD",
    )
    assert await envelope.from_storage(obj.SerializeToString(), PATH) == (b"value", True)


async def test_a_moved_value_does_not_open(world: World) -> None:
    envelope = world.envelope()
    await envelope.poll()
    stored = await envelope.to_storage(b"value", PATH)
    with pytest.raises(TransformError, match=r"^cipher: message authentication failed$"):
        await envelope.from_storage(stored, b"/registry/secrets/default/app2")


async def test_a_failed_decrypt_says_so(world: World) -> None:
    writer = world.envelope()
    await writer.poll()
    stored = await writer.to_storage(b"value", PATH)
    reader = world.envelope()
    await reader.poll()
    world.plugin.failure = "rpc error: code = FailedPrecondition desc = x"
    with pytest.raises(
        TransformError,
        match=r"^failed to decrypt DEK, error: rpc error: code = FailedPrecondition desc = x$",
    ):
        await reader.from_storage(stored, PATH)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encrypted_data": b""}, "encrypted data is empty"),
        ({"encrypted_dek_source_type": 2}, "unknown encryptedDEKSourceType: 2"),
        ({"encrypted_dek_source": b""}, "encrypted DEK source is empty"),
        (
            {"encrypted_dek_source": b"x" * 1025},
            "encrypted DEK source is 1025 bytes, which exceeds the max size of 1024",
        ),
        ({"key_id": ""}, "failed to validate key id: keyID is empty"),
        ({"annotations": {"x": b""}}, "a domain with at least two segments separated by dots"),
        ({"annotations": {"A.b": b""}}, "RFC 1123 subdomain"),
        ({"annotations": {"a.b": b"x" * 32768}}, "total size of annotations is 32771"),
    ],
)
async def test_values_that_upstream_refuses_are_refused(
    world: World, fields: dict[str, object], message: str
) -> None:
    good = {"encrypted_data": b"x", "key_id": "k", "encrypted_dek_source": b"s"}
    obj = EncryptedObject(**{**good, **fields})  # type: ignore[arg-type]
    with pytest.raises(TransformError, match=message):
        await world.envelope().from_storage(obj.SerializeToString(), PATH)


async def test_bytes_that_are_no_message_are_refused(world: World) -> None:
    with pytest.raises(TransformError, match="proto: cannot parse"):
        await world.envelope().from_storage(b"\xff\xff", PATH)


def test_cache_keys_cannot_be_confused() -> None:
    keys = {
        seeds.cache_key(1, b"ab", "c", {}),
        seeds.cache_key(1, b"a", "bc", {}),
        seeds.cache_key(0, b"ab", "c", {}),
        seeds.cache_key(1, b"ab", "c", {"a.b": b"c"}),
        seeds.cache_key(1, b"ab", "c", {"a.bc": b""}),
    }
    assert len(keys) == 5


async def test_health_is_asked_again_20_s_after_success_and_3_s_after_failure(
    world: World,
) -> None:
    envelope = world.envelope()
    probe = Probe(ask_v2(envelope), now=lambda: world.moment, monotonic=lambda: world.seconds)
    await probe.check()
    world.plugin.failure = "rpc error: code = Unavailable desc = x"
    world.advance(19)
    await probe.check()
    world.advance(1)
    wrapped = (
        "failed to perform status section of the healthz check for KMS Provider ack, error: "
        "rpc error: code = Unavailable desc = x"
    )
    with pytest.raises(TransformError) as caught:
        await probe.check()
    assert caught.value.message == wrapped
    world.plugin.failure = ""
    world.advance(2)
    with pytest.raises(TransformError) as caught:
        await probe.check()
    assert caught.value.message == "rpc error: code = Unavailable desc = x"
    world.seconds += 3
    await probe.check()
