"""The words of `acksim bill`."""

import argparse
from fractions import Fraction

from acksim.cli.command import Commands, command, data_dir, json_option


def add_bill(commands: Commands) -> None:
    bill = command(commands, "bill", "acksim.cli.bill:show", "what keys and their calls cost")
    bill.epilog = "example: acksim bill --by cluster --first 2026-11-01"
    divisions = ("cluster", "key", "caller", "action", "region", "day", "month")
    bill.add_argument("--by", choices=divisions, help="divide what the account is charged")
    bill.add_argument("--first", metavar="YYYY-MM-DD", help="with --by: its first day")
    bill.add_argument("--last", metavar="YYYY-MM-DD", help="with --by: its last day")
    _price_list(bill)
    group = bill.add_subparsers(metavar="COMMAND")
    balance = command(group, "balance", "acksim.cli.bill:balance", "what is there, what is owed")
    balance.epilog = "example: acksim bill balance --json"
    recharge = command(group, "recharge", "acksim.cli.bill:recharge", "add cash; pays what is owed")
    recharge.epilog = "example: acksim bill recharge 12.50"
    withdraw = command(group, "withdraw", "acksim.cli.bill:withdraw", "take cash out")
    withdraw.epilog = "example: acksim bill withdraw all"
    withdraw.add_argument("amount", help="such as 12.50, or all")
    recharge.add_argument("amount", help="such as 12.50")
    for one in (bill, balance, recharge, withdraw):
        one.add_argument("--account", metavar="ID", help="(default: the root account)")
        data_dir(one)
        json_option(one)
    _add_forecast(group)


def _add_forecast(group: Commands) -> None:
    forecast = command(
        group, "forecast", "acksim.cli.bill:forecast", "what a cluster's Secrets will cost"
    )
    forecast.epilog = "example: acksim bill forecast --secrets 500 --reads 2 --restarts 4 --kms v2"
    forecast.add_argument("--secrets", type=_count, required=True, help="made at the beginning")
    forecast.add_argument("--days", type=_days, default=30, help="(default: 30)")
    forecast.add_argument("--writes", type=_rate, default=0, help="a second, such as 0.01")
    forecast.add_argument("--reads", type=_rate, default=0, help="a second, such as 5")
    forecast.add_argument("--restarts", type=_restarts, default=0, help="of the API server, in all")
    forecast.add_argument("--kms", choices=("v1", "v2"), default="v1", help="(default: v1)")
    forecast.add_argument("--rotate-every", type=_count, default=0, help="days; 0 is never")
    forecast.add_argument("--rewrite", action="store_true", help="replace all after each rotation")
    forecast.add_argument("--no-health-checks", action="store_true", help="nobody asks for /readyz")
    forecast.add_argument("--region", default="cn-hangzhou", help="(default: cn-hangzhou)")
    _price_list(forecast)
    json_option(forecast)


def _price_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", choices=("classic", "instances"), default="classic", help="(default: classic)"
    )
    parser.add_argument("--currency", choices=("USD", "CNY"), default="USD", help="(default: USD)")


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def _days(text: str) -> int:
    count = _count(text)
    if not 1 <= count <= 36_500:
        raise argparse.ArgumentTypeError("write from 1 to 36500 days")
    return count


def _restarts(text: str) -> int:
    count = _count(text)
    if count > 1000:
        raise argparse.ArgumentTypeError("write up to 1000 restarts")
    return count


def _rate(text: str) -> Fraction:
    """Exact, as a product with seconds has to be."""
    if not text.replace(".", "", 1).isdecimal() or Fraction(text) > 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate such as 0.5, up to a million")
    return Fraction(text)
