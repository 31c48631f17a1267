"""`bill`: what keys and their calls cost."""

import argparse

from sim.cli.output import say, say_json, say_table
from sim.cli.place import attached


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
