"""Sockets bound once, by the parent, and handed to the process that serves them.

So a port that is taken is an error at once and in one place, any port may be 0, and a process
that restarts keeps its address: connections wait meanwhile instead of being refused.
"""

import contextlib
import random
import socket
from dataclasses import dataclass

from acksim.settings import LOOPBACK

BACKLOG = 1024


class PortTakenError(Exception):
    """A port that another program holds; the text says which setting moves ours."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket and the address that clients use."""

    name: str
    socket: socket.socket
    host: str
    port: int


def bind(name: str, host: str, port: int, setting: str) -> Listener:
    """A socket that listens already; raises PortTakenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTakenError(
            f"cannot listen on {host}:{port} for {name} ({error.strerror}); "
            f"set {setting} to another port, or to 0 for any free one"
        ) from error
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return Listener(name, listening, host, listening.getsockname()[1])


def inherit(name: str, descriptor: int) -> Listener:
    """The socket that the parent bound and passed as `descriptor`."""
    listening = socket.socket(fileno=descriptor)
    listening.setblocking(False)
    host, port = listening.getsockname()[:2]
    return Listener(name, listening, host, port)


def free_port() -> int:
    """A loopback port that nobody holds now, for a program that cannot take a bound socket.

    Outside the range from which the system gives ports to clients, so that no connection of
    another program takes it before that program binds it.
    """
    while True:
        port = random.randrange(15_000, 32_768)  # noqa: S311 - apart from others, not secret
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((LOOPBACK, port))
            return port
