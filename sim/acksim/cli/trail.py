"""`trail`: who called what, by the same signed LookupEvents that any client sends."""

import argparse
import json
import sys
import time
from datetime import datetime
from itertools import islice

from acksim.cli.output import say, say_json, say_table
from acksim.cli.place import attached
from acksim.clients.alibaba import ApiRefusedError, Signer
from acksim.clients.trail import Event, Follower, TrailClient, TrailQuery
from acksim.clients.trail_view import HEADS, event_row
from acksim.clients.world import World
from acksim.clock import parse_duration

_LOOK_EVERY_SECONDS = 1.0
_WIDTHS = (20, 11, 24, 44, 38)


def trail(arguments: argparse.Namespace) -> int:
    world = attached(arguments)
    client = TrailClient(world.facts.endpoint, Signer.of_root())
    query = _query(arguments, world)
    if arguments.follow:
        _follow(arguments, Follower(client, query))
    events = list(islice(client.events(query), arguments.limit))
    if arguments.json:
        say_json(events)
    else:
        say_table(HEADS, [event_row(event) for event in events])
    return 0


def _query(arguments: argparse.Namespace, world: World) -> TrailQuery:
    # A call takes two; these come first because only they need to be.
    given = {
        "User": arguments.user,
        "RoleName": arguments.role,
        "ResourceName": arguments.resource,
        "EventName": arguments.name,
        "ServiceName": arguments.service,
        "EventRW": arguments.rw and arguments.rw.capitalize(),
    }
    return TrailQuery(
        {key: value for key, value in given.items() if value},
        since=_moment(arguments.since, world),
        until=_moment(arguments.until, world),
        region=arguments.region,
    )


def _moment(text: str | None, world: World) -> str | None:
    """A time as LookupEvents takes it, of a time or of how long ago that was."""
    if text is None or text.endswith("Z"):
        return text
    ago = parse_duration(text)
    now = datetime.fromisoformat(world.clock()["now"])
    return f"{(now - ago).isoformat()[:19]}Z"


def _follow(arguments: argparse.Namespace, follower: Follower) -> None:
    """Until somebody ends it, or the world ends."""
    if not arguments.json:
        say(_line(HEADS))
    _show(arguments, follower.begin(arguments.limit))
    while True:
        time.sleep(_LOOK_EVERY_SECONDS)
        try:
            _show(arguments, follower.look())
        except ApiRefusedError as error:
            if error.code != "Unreachable":
                raise
            attached(arguments)  # a world that has ended says so; one that restarts is waited for


def _show(arguments: argparse.Namespace, events: list[Event]) -> None:
    for event in events:
        say(json.dumps(event, ensure_ascii=False) if arguments.json else _line(event_row(event)))
    sys.stdout.flush()


def _line(cells: tuple[str, ...]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False))
    return "   ".join((*padded, cells[-1]))
