"""Calls a second by account, region and class of operation: token buckets, in this process.

A bucket holds what one second allows, and refills by a clock that no one can move. A full bucket
says nothing that a missing one does not, so that those of idle accounts can be forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from alibaba_edge.errors import ThrottledError

_CAPACITY = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    """Operations that share one allowance of calls a second."""

    name: str
    per_second: int


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    """Takes one token a call."""

    def __init__(
        self,
        quotas: Mapping[str, Quota],
        *,
        seconds: Callable[[], float] = monotonic,
        capacity: int = _CAPACITY,
    ) -> None:
        """`quotas` by the name of the operation; others are not limited."""
        self._quotas = quotas
        self._seconds = seconds
        self._capacity = capacity
        self._buckets: OrderedDict[tuple[str, str, str], _Bucket] = OrderedDict()

    def take(self, account_id: str, region: str, operation: str) -> None:
        """Raises ThrottledError when the second's allowance is used up."""
        quota = self._quotas.get(operation)
        if quota is None:
            return
        place = (account_id, region, quota.name)
        now = self._seconds()
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = _Bucket(quota.per_second, now)
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)  # the one that was used longest ago
        else:
            self._buckets.move_to_end(place)
            grown = bucket.tokens + (now - bucket.filled_at) * quota.per_second
            bucket.tokens, bucket.filled_at = min(quota.per_second, grown), now
        if bucket.tokens < 1:
            raise ThrottledError
        bucket.tokens -= 1
