"""Where a story is told: chapters, what is shown, and claims that are checked before the tick."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

PAUSE_SECONDS = 0.8


class ClaimFailedError(Exception):
    """A claim of a story that did not hold; the story ends here."""


class Teller(Protocol):
    """How a story reaches its audience."""

    def chapter(self, title: str) -> None: ...
    def line(self, text: str) -> None: ...
    def command(self, text: str) -> None: ...
    def verdict(self, claim: str, *, holds: bool, found: str) -> None: ...


class Stage:
    """Counts the claims of one story."""

    def __init__(self, teller: Teller, *, pace: float = PAUSE_SECONDS) -> None:
        self._teller = teller
        self._pace = pace
        self.claims = 0

    def chapter(self, title: str) -> None:
        if self.claims and self._pace:
            time.sleep(self._pace)
        self._teller.chapter(title)

    def command(self, text: str) -> None:
        """What a person would type for the step that follows."""
        self._teller.command(text)

    def show(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._teller.line(line)

    def claim(self, text: str, holds: bool, found: object = "") -> None:
        """`found` is what was seen; it is told when the claim fails."""
        self.claims += 1
        self._teller.verdict(text, holds=holds, found=str(found))
        if not holds:
            raise ClaimFailedError(f"{text}: found {found}")

    def claim_soon(self, text: str, check: Callable[[], bool], *, seconds: float) -> None:
        """A claim that may need a moment to come true, such as a recovery."""
        deadline = time.monotonic() + seconds
        while not (holds := check()) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.claim(text, holds, f"not within {seconds:.0f} s")


def beside(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Two blocks of text side by side."""
    width = max(map(len, left), default=0)
    height = max(len(left), len(right))
    padded = [*left, *[""] * (height - len(left))]
    others = [*right, *[""] * (height - len(right))]
    return [f"{a:<{width}}   {b}".rstrip() for a, b in zip(padded, others, strict=True)]
