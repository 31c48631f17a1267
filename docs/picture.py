"""Draws docs/demo.svg from a real run of the demo: `python docs/picture.py`."""

import json
import subprocess
import sys
import textwrap
from html import escape
from pathlib import Path

CHAPTERS = (
    "A Secret is stored",
    "The key is disabled",
    "The API server restarts: its cache is gone",
    "The key is enabled again",
)
COLUMNS, LINE, CHARACTER, MARGIN = 92, 19, 8.4, 18
COLOURS = {
    "chapter": "#f0f6fc",
    "command": "#79c0ff",
    "shown": "#8b949e",
    "claim": "#7ee787",
}


def told() -> list[tuple[str, str]]:
    """(kind, text) for each line of the chapters that the picture shows."""
    done = subprocess.run(
        [sys.executable, "-m", "acksim", "demo", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines: list[tuple[str, str]] = []
    wanted = False
    for row in map(json.loads, done.stdout.splitlines()):
        kind = next((name for name in COLOURS if name in row), None)
        if kind is None:
            continue
        if kind == "chapter":
            wanted = row["chapter"] in CHAPTERS
        if wanted:
            lines += _lines(kind, row[kind])
    return lines


def _lines(kind: str, text: str) -> list[tuple[str, str]]:
    if kind == "chapter":
        return [("shown", ""), (kind, text)]
    first = {"command": "  $ ", "claim": "  ✓ ", "shown": "    "}[kind]
    wrapped = textwrap.wrap(text, COLUMNS - 6, break_on_hyphens=False) or [""]
    return [(kind, (first if index == 0 else "    ") + part) for index, part in enumerate(wrapped)]


def draw(lines: list[tuple[str, str]]) -> str:
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + LINE * (index + 1) - 5}" fill="{COLOURS[kind]}"'
        f"{' font-weight=' + chr(34) + 'bold' + chr(34) if kind == 'chapter' else ''}>"
        f"{escape(text)}</text>"
        for index, (kind, text) in enumerate(lines)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" font-family="ui-monospace, Menlo, Consolas, monospace" '
        'font-size="14" style="white-space:pre">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_name("demo.svg").write_text(draw(told()))
