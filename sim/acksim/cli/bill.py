"""`bill`: what was used and what it cost, the balance that pays for it, and a plan's forecast."""

import argparse
from typing import Any

from acksim.account.billing import forecast as formulas
from acksim.account.billing.prices import PriceUnknownError
from acksim.cli.output import say, say_json, say_table
from acksim.cli.place import attached
from acksim.clients.world import WorldError

_DAY_SECONDS = 86_400


def show(arguments: argparse.Namespace) -> int:
    """Every line so far, by any price list; or, by `--by`, what was charged to the account."""
    return _costs(arguments) if arguments.by else _lines(arguments)


def _lines(arguments: argparse.Namespace) -> int:
    query = {"model": arguments.model, "currency": arguments.currency} | _account(arguments)
    answer = attached(arguments).bill(**query)
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


def _costs(arguments: argparse.Namespace) -> int:
    query = {"by": arguments.by} | _account(arguments)
    for name in ("first", "last"):
        if getattr(arguments, name):
            query[name] = getattr(arguments, name)
    answer = attached(arguments).costs(**query)
    if arguments.json:
        say_json(answer)
        return 0
    say_table(
        (arguments.by.upper(), "CALLS", "FOR CALLS", "FOR KEEPING", answer["currency"]),
        [
            (row["part"], row["calls"], row["of_calls"], row["of_keeping"], row["total"])
            for row in answer["parts"]
        ],
    )
    say(f"{answer['calls']} billable calls, {answer['total']} {answer['currency']}")
    return 0


def balance(arguments: argparse.Namespace) -> int:
    """Exit code 1 for an account that is suspended."""
    return _say_balance(arguments, attached(arguments).balance(**_account(arguments)))


def recharge(arguments: argparse.Namespace) -> int:
    return _move(arguments, recharge=arguments.amount)


def withdraw(arguments: argparse.Namespace) -> int:
    return _move(arguments, withdraw=arguments.amount)


def forecast(arguments: argparse.Namespace) -> int:
    """Needs no world: the formulas are those of `acksim.account.billing.forecast`."""
    seconds = arguments.days * _DAY_SECONDS
    plan = formulas.Plan(
        secrets=arguments.secrets,
        kms=arguments.kms,
        days=arguments.days,
        writes=int(arguments.writes * seconds),
        reads=int(arguments.reads * seconds),
        restarts=arguments.restarts,
        rotation_days=arguments.rotate_every,
        rewrites=arguments.rewrite,
        health_checks=0 if arguments.no_health_checks else seconds // formulas.HEALTH_CHECK_SECONDS,
    )
    terms = formulas.Terms(arguments.region, arguments.model, arguments.currency)
    try:
        answer = formulas.forecast(plan, terms)
    except PriceUnknownError as error:
        raise WorldError(str(error)) from None
    if arguments.json:
        say_json(answer)
        return 0
    _say_forecast(answer, arguments.days)
    return 0


def _say_forecast(answer: dict[str, Any], days: int) -> None:
    amounts = answer["amounts"]
    in_instance = days if answer["model"] == "instances" else 0
    say_table(
        ("FOR", "NUMBER", answer["currency"]),
        [
            ("calls of Encrypt and Decrypt", answer["calls"], amounts["calls"]),
            ("key versions, days", answer["version_days"], amounts["key"]),
            ("KMS instance, days", in_instance, amounts["instance"]),
            ("cluster, hours", days * 24, amounts["cluster"]),
        ],
    )
    say(
        f"{answer['encrypts']} Encrypt, {answer['decrypts']} Decrypt; "
        f"{answer['total']} {answer['currency']} in {days} days"
    )


def _account(arguments: argparse.Namespace) -> dict[str, str]:
    return {"account_id": arguments.account} if arguments.account else {}


def _move(arguments: argparse.Namespace, **transfer: str) -> int:
    answer = attached(arguments).move_money(**transfer, **_account(arguments))
    return _say_balance(arguments, answer)


def _say_balance(arguments: argparse.Namespace, answer: dict[str, Any]) -> int:
    if arguments.json:
        say_json(answer)
    else:
        say(f"cash {answer['cash']} {answer['currency']}, owed {answer['debt']}")
        if answer["overdue_since"]:
            say(f"overdue since {answer['overdue_since']}")
        if answer["suspended"]:
            say("suspended: recharge what is owed (`acksim bill recharge AMOUNT`)")
    return 1 if answer["suspended"] else 0
