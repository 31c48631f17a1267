"""What every command is made of: argparse alone, no other import."""

import argparse
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = argparse._SubParsersAction


def group(commands: Commands, name: str, meaning: str) -> Commands:
    parser = commands.add_parser(name, help=meaning, description=meaning)
    return parser.add_subparsers(metavar="COMMAND", required=True)


def command(commands: Commands, name: str, handler: str, meaning: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=meaning, description=meaning)
    parser.set_defaults(handler=handler)
    return parser


def data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", metavar="DIR", help="the world's place (ACKSIM_DATA_DIR)")


def json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
