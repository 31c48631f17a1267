"""How much a client may send before it has asked for anything, and how long it may take.

Times are seconds, looked at once a second; sizes are bytes.
"""

import resource
from contextlib import suppress
from dataclasses import dataclass

_OTHER_FILES = 256  # a process has databases, logs and connections of its own, too


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one listener.

    ``head_bytes`` and ``head_fields`` bound a request line with its headers: the longest texts
    that Alibaba Cloud documents for one call are 200 KB where they stand escaped in the query.
    Go's servers, kube-apiserver among them, take 1 MiB.

    ``head_seconds`` runs from the connection, or from the first byte of a later request, to the
    end of its headers, and ``idle_seconds`` between two requests: 32 and 90 are kube-apiserver's
    (k8s.io/apiserver pkg/server/secure_serving.go). ``body_seconds`` is for a whole body;
    ``unread_seconds`` for a client that reads nothing of its answer.

    ``body_bytes`` is more than any application here reads of a body: each has a bound of its own,
    which it explains better.

    ``unwanted_bytes`` are still read of a request that is answered already, for up to
    ``farewell_seconds`` where it was refused, so that a client that is still sending finds the
    answer.

    ``connections`` is how many a listener has at once: beyond it, those that have waited longest
    for a request make room, and where all are busy a new one is refused.
    """

    head_bytes: int = 256 * 1024
    head_fields: int = 1000
    body_bytes: int = 4 * 1024 * 1024
    handshake_seconds: float = 10.0
    head_seconds: float = 32.0
    idle_seconds: float = 90.0
    body_seconds: float = 60.0
    unread_seconds: float = 60.0
    farewell_seconds: float = 2.0
    unwanted_bytes: int = 16 * 1024 * 1024
    connections: int = 10_000


def raise_file_limit(wanted: int) -> int:
    """Let this process open ``wanted`` connections; return how many it may have after all.

    Shells give a process 1024 files and let it have more, which Go programs take by themselves.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
            soft = needed
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(soft - _OTHER_FILES, soft // 2))
