"""The command `acksim`: parse, find the one handler, run it.

Handlers are named as text and imported when chosen, so that `--help` and short commands do
not pay for web frameworks and cryptography.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from acksim.cli.parser import build_parser
from acksim.settings import SettingsError


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 the answer is no or the world refused, 2 wrong words, 130 Ctrl-C."""
    parser = build_parser()
    arguments, extra = parser.parse_known_args(argv)
    if extra and not getattr(arguments, "passes_on", False):
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    arguments.extra = extra
    module_name, _, function_name = arguments.handler.partition(":")
    handler: Callable[[Any], int] = getattr(importlib.import_module(module_name), function_name)
    try:
        return handler(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has left; Python must not complain about it at exit.
        sys.stdout = None
        return 141
    except Exception as error:
        if not _is_for_people(error):
            raise
        print(f"acksim: {error}", file=sys.stderr)
        return 1


def _is_for_people(error: Exception) -> bool:
    """Whether an error's text was written to be read; any other is a defect and shows itself."""
    if isinstance(error, SettingsError):
        return True
    readable = {
        "acksim.clients.world": ("WorldError",),
        "acksim.world.launcher": ("WorldRunningError", "DataDirectoryError"),
        "acksim.listeners": ("PortTakenError",),
        "acksim.world.etcd_server": ("EtcdMissingError",),
        "acksim.world.supervisor": ("ChildError",),
        "acksim.clients.alibaba": ("ApiRefusedError",),
        "acksim.clock": ("ClockError",),
        "acksim.clients.etcd": ("EtcdViewError",),
        "acksim.ack.rewriting": ("AccessError",),
        "apiserver_shim.errors": ("CompactedError", "StorageError", "StorageUnavailableError"),
    }
    kind = type(error)
    return kind.__name__ in readable.get(kind.__module__, ())
