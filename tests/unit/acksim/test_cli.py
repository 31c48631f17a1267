"""The command line's words: each command has help and an example, and its handler exists."""

import argparse
import importlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from acksim.cli import main
from acksim.cli.parser import build_parser


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in dict.fromkeys(action.choices.values()):
                yield from commands(child)
            if parser.get_default("handler") is None:  # only a name before other names
                return
    yield parser


@pytest.mark.parametrize("command", list(commands(build_parser())), ids=lambda c: c.prog)
def test_every_command_has_an_example_and_a_handler(command: argparse.ArgumentParser) -> None:
    epilog = command.epilog or ""
    assert epilog.startswith("example: ")
    assert "acksim " in epilog
    module, _, function = command.get_default("handler").partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_unknown_words_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "--nonsense"])
    assert ended.value.code == 2
    assert "--nonsense" in capsys.readouterr().err


def test_no_world_is_said_plainly(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("nothing")
    assert main(["status", "--data-dir", str(place)]) == 1
    assert "start one with `acksim up`" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from acksim.cli.parser import build_parser\n"
        "build_parser().format_help()\n"
        "heavy = {'fastapi', 'sqlalchemy', 'cryptography', 'grpc', 'kubernetes', 'httpx', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
