"""How much time has passed, when one clock can be moved and the other cannot be stopped."""

from collections.abc import Callable
from datetime import datetime, timedelta


class Elapsed:
    """Time since the last restart, by the simulated or the monotonic clock, whichever says more.

    The simulated clock may jump ahead, and the interval is over at once. It may also be frozen or
    set back, and an unhealthy provider must still be asked again.
    """

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self.restart()

    def restart(self) -> None:
        """Begin to count anew."""
        self._since = self._now()
        self._since_monotonic = self._monotonic()

    def reached(self, interval: timedelta) -> bool:
        """Tell whether ``interval`` is over."""
        return (
            self._monotonic() - self._since_monotonic >= interval.total_seconds()
            or self._now() - self._since >= interval
        )
