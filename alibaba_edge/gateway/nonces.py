"""Which signature nonces were used, for as long as a replay could still be accepted."""

from __future__ import annotations

from datetime import datetime, timedelta

_MINUTE = 60
_CAPACITY = 1_000_000


class NonceMemory:
    """Every nonce that a signature which could still be accepted has used.

    They are kept by the minute of their use, or of their signature where that lies ahead, and
    whole minutes are forgotten once all their signatures have expired. A client that fills the
    memory sooner shortens the window instead of growing it: signatures of minutes that had to be
    forgotten early are accepted no more.
    """

    def __init__(self, *, keep: timedelta, capacity: int = _CAPACITY) -> None:
        """`keep`: the longest lifetime of a signature."""
        self._keep = int(keep.total_seconds()) + _MINUTE
        self._capacity = capacity
        self._seen: set[int] = set()
        self._minutes: dict[int, list[int]] = {}
        self._closed_before = 0

    def use(self, access_key_id: str, nonce: str, *, signed_at: datetime, now: datetime) -> bool:
        """False if the nonce was used before, or can no longer be told."""
        signed, present = int(signed_at.timestamp()), int(now.timestamp())
        if signed // _MINUTE < self._closed_before:
            return False
        # 64 bits of a hash keyed afresh in every process: small, and no one can aim at a collision.
        mark = hash((access_key_id, nonce))
        if mark in self._seen:
            return False
        minute = max(signed, present) // _MINUTE
        used = self._minutes.get(minute)
        if used is None:
            self._forget_before((present - self._keep) // _MINUTE)
            used = self._minutes[minute] = []
        used.append(mark)
        self._seen.add(mark)
        if len(self._seen) > self._capacity:
            self._closed_before = min(self._minutes) + 1
            self._forget_before(self._closed_before)
        return True

    def _forget_before(self, minute: int) -> None:
        for old in [m for m in self._minutes if m < minute]:
            self._seen.difference_update(self._minutes.pop(old))
