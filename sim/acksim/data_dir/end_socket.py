"""How `acksim down` asks a world to end: a connection to a unix socket is the request.

The socket lies in a folder that only the world's owner can enter. The process that listens keeps
every connection open, so that whoever asked sees exactly this process end, and no other.
"""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

_BACKLOG = 64


class NotListeningError(Exception):
    """Nobody listens there: not yet, no longer, or not in this file system."""


class StillThereError(Exception):
    """The process that was asked did not end in time."""


def listen_for_end(path: Path, on_request: Callable[[], None]) -> None:
    """Calls `on_request` once, from a thread of its own; the socket lives until the process ends.

    Only the holder of the world's lock may call this: what lies at `path` is replaced.
    """
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen(_BACKLOG)
    threading.Thread(
        target=_serve, args=(listening, on_request), name="end-socket", daemon=True
    ).start()


def _serve(listening: socket.socket, on_request: Callable[[], None]) -> None:
    asking = [listening.accept()]
    on_request()
    while True:
        asking.append(listening.accept())


def ask_to_end(path: Path, *, seconds: float) -> None:
    """Returns once the process behind the socket has ended.

    Raises NotListeningError, StillThereError after `seconds`, or PermissionError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            raise NotListeningError(str(path)) from None
        try:
            connection.recv(1)
        except TimeoutError:
            raise StillThereError(str(path)) from None
        except ConnectionError:
            return  # it ended with our request still in the queue
