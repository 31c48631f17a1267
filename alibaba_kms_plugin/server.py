"""The plugin as a process sees it: one unix socket, both protocols, one HTTP client."""

import errno
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
import grpc.aio

from alibaba_edge.client.credentials import Credentials, StaticCredentials, UriCredentials
from alibaba_edge.client.http import HttpClient
from alibaba_edge.client.kms import KmsClient
from alibaba_kms_plugin.dispatch import Dispatch
from alibaba_kms_plugin.errors import KmsSocketError
from alibaba_kms_plugin.services import ServiceV1, ServiceV2, StatusOfDeadKey

_LONGEST_PATH = 107  # sun_path less its NUL
_GRACE = 1.0
# grpc-go's longest message; a burst of calls waits, where gRPC would cancel some; who opens the
# socket without speaking HTTP/2 is hung up on.
_LIMITS = (
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 30_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class KmsPluginSettings:
    """Where to listen, which KMS and key to use, and as whom.

    ``credentials`` are given, or the credentials URI to fetch them from. ``timeout``, in seconds,
    limits a KMS call whose caller set no shorter deadline. ``region`` is the key's, for an endpoint
    whose host names none.
    """

    socket: Path
    endpoint: str
    key_id: str
    credentials: Credentials | str
    timeout: float = 10.0
    status_of_dead_key: StatusOfDeadKey = "error"
    region: str | None = None


class KmsPlugin:
    """A KMS plugin for one key, serving v1beta1 and v2."""

    def __init__(
        self,
        settings: KmsPluginSettings,
        *,
        now: Callable[[], datetime],
        http: HttpClient | None = None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """``now`` ages credentials. A client given as ``http`` stays its owner's to close.

        ``on_failure`` is called whenever the KMS refuses a call or does not answer.
        """
        self._settings = settings
        self._now = now
        self._given_http = http
        self._on_failure = on_failure
        self._own_http: HttpClient | None = None
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen; raises KmsSocketError if the socket is taken or cannot be made."""
        settings = self._settings
        _clear(settings.socket)
        http = self._given_http
        if http is None:
            http = self._own_http = HttpClient()
        given = settings.credentials
        credentials = (
            UriCredentials(given, http, now=self._now)
            if isinstance(given, str)
            else StaticCredentials(given)
        )
        kms = KmsClient(settings.endpoint, http, credentials, region=settings.region)
        v1 = ServiceV1(
            kms,
            key_id=settings.key_id,
            timeout=settings.timeout,
            on_failure=self._on_failure,
        )
        v2 = ServiceV2(
            kms,
            key_id=settings.key_id,
            timeout=settings.timeout,
            status_of_dead_key=settings.status_of_dead_key,
            on_failure=self._on_failure,
        )
        server = grpc.aio.server(options=_LIMITS)
        server.add_generic_rpc_handlers((Dispatch((v1.service(), v2.service())),))
        _bind(server, settings.socket)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Finish running calls, close the socket and remove it."""
        if self._server is not None:
            await self._server.stop(_GRACE)
            self._server = None
            self._settings.socket.unlink(missing_ok=True)
        if self._own_http is not None:
            await self._own_http.aclose()
            self._own_http = None


def _bind(server: grpc.aio.Server, path: Path) -> None:
    # The file appears inside the call, so the mask and not only chmod keeps others out.
    mask = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise KmsSocketError(f"cannot listen on {path}: {error}") from None
    finally:
        os.umask(mask)
    path.chmod(0o600)


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens on any more, and nothing else."""
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise KmsSocketError(f"the path is longer than {_LONGEST_PATH} bytes: {path}")
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise KmsSocketError(f"there is a file that is no socket: {path}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        failure = probe.connect_ex(str(path))
    if failure not in {errno.ECONNREFUSED, errno.ENOENT}:
        raise KmsSocketError(f"another process listens on {path}")
    path.unlink(missing_ok=True)
