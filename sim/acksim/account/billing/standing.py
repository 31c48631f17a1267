"""The gateway's Standing: what an account may still call while it owes.

What this process itself changes counts at once. Where others share the database, an answer is
remembered for a second at most.
"""

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from acksim.account.billing.balances import Balances
from acksim.account.billing.debts import suspended
from alibaba_edge.errors import InDebtOverdueError

_REMEMBERED_SECONDS = 1.0
_FREE_KMS = frozenset({"DescribeAccountKmsStatus"})
_READING = ("Describe", "List", "Get", "Check")


class AccountStanding:
    """For seven days everything goes on; then KMS refuses, and clusters may only be looked at."""

    def __init__(
        self,
        balances: Balances,
        now: Callable[[], datetime],
        *,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._balances = balances
        self._now = now
        self._elapsed = elapsed
        self._known: dict[str, tuple[int, float, int | None]] = {}

    async def check(self, account_id: str, product: str, action: str) -> None:
        """Raises InDebtOverdueError."""
        if _refusable(product, action) and suspended(
            await self._overdue_day(account_id), self._now()
        ):
            raise InDebtOverdueError

    async def overdue(self, account_id: str) -> bool:
        """Whether a bill that was due is not paid."""
        return await self._overdue_day(account_id) is not None

    async def _overdue_day(self, account_id: str) -> int | None:
        known = self._known.get(account_id)
        changes, moment = self._balances.changes, self._elapsed()
        if (
            known
            and known[0] == changes
            and (not self._balances.shared or moment - known[1] < _REMEMBERED_SECONDS)
        ):
            return known[2]
        day = await self._balances.overdue_day(account_id)
        self._known[account_id] = (changes, moment, day)
        return day


def _refusable(product: str, action: str) -> bool:
    if product == "Kms":
        return action not in _FREE_KMS
    return product == "CS" and not action.startswith(_READING)
