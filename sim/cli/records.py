"""`trail` and `bill`: who called the KMS, and what it cost."""

import argparse
from typing import Any

from sim.cli.output import say, say_json, say_table
from sim.cli.place import attached
from sim.trail_view import event_row


def trail(arguments: argparse.Namespace) -> int:
    query: dict[str, Any] = {"limit": arguments.limit}
    if arguments.name:
        query["name"] = arguments.name
    events = attached(arguments).trail(**query)
    if arguments.json:
        say_json(events)
        return 0
    say_table(("TIME", "EVENT", "USER", "RESOURCE", "RESULT"), [event_row(e) for e in events])
    return 0


def bill(arguments: argparse.Namespace) -> int:
    answer = attached(arguments).bill(model=arguments.model, currency=arguments.currency)
    if arguments.json:
        say_json(answer)
        return 0
    say_table(
        ("ACTION", "CALLER", "KEY", "CALLS", answer["currency"]),
        [
            (row["action"], row["caller"], row["key_id"], row["calls"], row["amount"])
            for row in answer["items"]
        ],
    )
    if answer["hosting"]:
        say()
        say_table(
            ("KEPT AS", "MONTH", "KEY", "DAYS", answer["currency"]),
            [
                (row["item"], row["month"], row["key_id"], row["days"], row["amount"])
                for row in answer["hosting"]
            ],
        )
    say(f"{answer['calls']} billable calls, {answer['total']} {answer['currency']}")
    return 0
