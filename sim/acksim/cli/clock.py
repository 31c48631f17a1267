"""`clock …`: show, advance, freeze, reset."""

import argparse
from typing import Any

from acksim.cli.output import say, say_json
from acksim.cli.place import attached


def show(arguments: argparse.Namespace) -> int:
    return _say(arguments, attached(arguments).clock())


def advance(arguments: argparse.Namespace) -> int:
    return _say(arguments, attached(arguments).move_clock(advance=arguments.duration))


def freeze(arguments: argparse.Namespace) -> int:
    return _say(arguments, attached(arguments).move_clock(freeze=True))


def reset(arguments: argparse.Namespace) -> int:
    return _say(arguments, attached(arguments).move_clock(reset=True))


def _say(arguments: argparse.Namespace, clock: dict[str, Any]) -> int:
    if arguments.json:
        say_json(clock)
    else:
        standing = " (standing still)" if clock["frozen_at"] is not None else ""
        say(clock["now"] + standing)
    return 0
