"""Who may speak to an HTTP port that has no password: programs, and pages of its own.

A web page can make its reader's browser send requests here, and the root AccessKey is in the
README. A page elsewhere gives itself away by its Origin or by Sec-Fetch-Site, which no page can
alter; a page whose own name was made to point at this machine (DNS rebinding) by its Host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NamedTuple

ALIBABA_CLOUD = "*.aliyuncs.com"
"""The endpoints of the cloud, for clients whose names for it were made to point here."""

# Nobody can register these two: RFC 6761, 6.3, and ICANN's resolution 2024.07.29.06, which is for
# names such as host.docker.internal.
_NOBODYS = ("localhost", "*.localhost", "*.internal")
# Some SDKs send their whole endpoint: `http://127.0.0.1:8700/`.
_HOST = re.compile(
    r"(?:https?://)?(?:\[(?P<address>[^\[\]/]*)\]|(?P<name>[^\[\]:/@]*))(?::[0-9]{1,5})?/?"
)
_OWN_PAGES = frozenset({b"same-origin", b"none"})
_SHOWN = 100


class Refusal(NamedTuple):
    """Why a request is not answered: HTTP status, error code, and what to do about it."""

    status: int
    code: str
    message: str


class AllowedHosts:
    """The names by which clients may reach a port: any IP address, localhost, and `names`.

    A name that begins with `*.` stands for every name that ends so; `*` alone for all.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        known = [name.lower().rstrip(".") for name in (*_NOBODYS, *names)]
        self._names = frozenset(name for name in known if not name.startswith("*"))
        self._endings = tuple(name[1:] for name in known if name.startswith("*"))
        self._allows = lru_cache(maxsize=256)(self._look_up)

    def refusal(self, scope: Mapping[str, Any]) -> Refusal | None:
        """What is wrong with the Host, Origin or Sec-Fetch-Site of an ASGI request, if anything."""
        hosts = []
        origin = site = None
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
        if len(hosts) != 1 or not self._allows(hosts[0]):
            return _host_unknown(b", ".join(hosts))
        if origin is not None and origin.partition(b"://")[2].lower() != hosts[0].lower():
            return _page_elsewhere(b"Origin: " + origin)
        if site is not None and site not in _OWN_PAGES:
            return _page_elsewhere(b"Sec-Fetch-Site: " + site)
        return None

    def _look_up(self, host: bytes) -> bool:
        parts = _HOST.fullmatch(host.decode("latin-1").lower())
        if parts is None:
            return False
        name = (parts["address"] or parts["name"]).removesuffix(".")
        return name in self._names or name.endswith(self._endings) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _host_unknown(host: bytes) -> Refusal:
    return Refusal(
        400,
        "InvalidHost",
        f"The Host header is {_shown(host)!r}, which is no known name of this machine. If it is "
        "one, add it to ACKSIM_ALLOWED_HOSTS (kms_emulator alone: --allowed-host), or use an IP "
        "address.",
    )


def _page_elsewhere(header: bytes) -> Refusal:
    return Refusal(
        403,
        "Forbidden.WebPage",
        f"A web page of another site sent this ({_shown(header)}); pages may not. Open the "
        "address itself, or use a program.",
    )


def _shown(text: bytes) -> str:
    return text[:_SHOWN].decode("latin-1")
