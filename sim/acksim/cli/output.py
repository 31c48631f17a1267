"""What commands print: tables for people, JSON for programs, colour only on a terminal."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from acksim.settings import colour_refused

_CODES = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}


def say(text: str = "") -> None:
    print(text)


def say_json(value: Any) -> None:
    """One JSON document on one line."""
    say(json.dumps(value, ensure_ascii=False))


def say_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Left-aligned columns, as kubectl prints them."""
    lines = [list(heads), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say("   ".join(cells).rstrip())


class Paint:
    """ANSI colours, or none where they would not be seen (https://no-color.org)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stdout
        self.on = stream.isatty() and not colour_refused() and os.name != "nt"

    def __call__(self, style: str, text: str) -> str:
        if not self.on:
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"
