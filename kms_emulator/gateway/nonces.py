"""Which signature nonces were used, for as long as a replay could still be accepted."""

from __future__ import annotations

from datetime import datetime, timedelta

_MINUTE = 60
_CAPACITY = 1_000_000


class NonceMemory:
    """Nonces by the minute their request was signed in.

    A replayed request carries the timestamp it was signed with, so one minute's set is all there is
    to look at, and whole minutes are forgotten once their signatures have expired. A client that
    fills the memory sooner shortens the window instead of growing it: minutes that had to be
    forgotten early accept nothing more.
    """

    def __init__(self, *, keep: timedelta, capacity: int = _CAPACITY) -> None:
        """`keep`: the longest lifetime of a signature."""
        self._keep = int(keep.total_seconds()) + _MINUTE
        self._capacity = capacity
        self._minutes: dict[int, set[int]] = {}
        self._count = 0
        self._closed_before = 0

    def use(self, access_key_id: str, nonce: str, *, signed_at: datetime, now: datetime) -> bool:
        """False if the nonce was used before, or can no longer be told."""
        minute = int(signed_at.timestamp()) // _MINUTE
        if minute < self._closed_before:
            return False
        seen = self._minutes.get(minute)
        if seen is None:
            self._forget_before((int(now.timestamp()) - self._keep) // _MINUTE)
            seen = self._minutes[minute] = set()
        # 64 bits of a hash keyed afresh in every process: small, and no one can aim at a collision.
        mark = hash((access_key_id, nonce))
        if mark in seen:
            return False
        seen.add(mark)
        self._count += 1
        if self._count > self._capacity:
            self._closed_before = min(self._minutes) + 1
            self._forget_before(self._closed_before)
        return True

    def _forget_before(self, minute: int) -> None:
        for old in [m for m in self._minutes if m < minute]:
            self._count -= len(self._minutes.pop(old))
