from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alibaba_edge.gateway.nonces import NonceMemory

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEEP = timedelta(minutes=31)


def use(memory: NonceMemory, nonce: str, *, signed_at: datetime, now: datetime = NOW) -> bool:
    return memory.use("ak", nonce, signed_at=signed_at, now=now)


def size(memory: NonceMemory) -> int:
    assert sum(len(minute) for minute in memory._minutes.values()) == len(memory._seen)
    return len(memory._seen)


def test_a_nonce_is_refused_for_as_long_as_its_signature_could_live() -> None:
    memory = NonceMemory(keep=KEEP)
    assert use(memory, "n", signed_at=NOW)
    for minutes in range(31):
        later = NOW + timedelta(minutes=minutes)
        assert use(memory, f"other-{minutes}", signed_at=later, now=later)
        assert not use(memory, "n", signed_at=NOW, now=later)


def test_a_nonce_is_not_renewed_by_another_time() -> None:
    memory = NonceMemory(keep=KEEP)
    assert use(memory, "n", signed_at=NOW - timedelta(minutes=31))
    for minutes in range(-31, 32):
        signed_at = NOW + timedelta(minutes=minutes)
        assert not use(memory, "n", signed_at=signed_at)
        assert not use(memory, "n", signed_at=signed_at, now=NOW + timedelta(minutes=31))
    assert memory.use("another", "n", signed_at=NOW, now=NOW)


def test_expired_minutes_are_forgotten() -> None:
    memory = NonceMemory(keep=KEEP)
    for minutes in range(24 * 60):
        at = NOW + timedelta(minutes=minutes)
        use(memory, f"n-{minutes}", signed_at=at, now=at)
    assert size(memory) <= 34


def test_a_full_memory_closes_its_oldest_minute_instead_of_growing() -> None:
    memory = NonceMemory(keep=KEEP, capacity=100)
    assert use(memory, "first", signed_at=NOW)
    for number in range(100):
        assert use(memory, f"n-{number}", signed_at=NOW + timedelta(minutes=1))
    assert size(memory) <= 101
    assert not use(memory, "first", signed_at=NOW), "a replay of what was forgotten"
    assert not use(memory, "new", signed_at=NOW), "that minute accepts nothing any more"
    assert use(memory, "new", signed_at=NOW + timedelta(minutes=2))
