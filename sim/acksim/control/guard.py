"""Who may use the control port: no web page but its own, and whoever sends the world's token.

A console for browsers will need another way to present the token than a header of its own (a link
that sets a cookie, as notebooks do): `_presented` is the one place that reads what was sent.
"""

import hmac

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from alibaba_edge.allowed_hosts import AllowedHosts, Refusal

# Whether it lives, and what it could be asked: the same in every world, and changing nothing.
OPEN_PATHS = frozenset({"/healthz", "/docs", "/openapi.json"})

_NO_TOKEN = Refusal(
    401,
    "Unauthorized",
    "The control API asks for the token of its world: send the header `Authorization: Bearer "
    "TOKEN`. `acksim env` prints it as ACKSIM_TOKEN; it lies in the file `token` of the world's "
    "data directory, which only its owner can read (in containers /data/token).",
)


class ControlGuard:
    """ASGI middleware in front of everything, known path or not.

    400 or 403 for a Host, Origin or Sec-Fetch-Site that `hosts` refuses; 401 (RFC 6750) for a
    request without `token`, unless it asks for one of OPEN_PATHS.
    """

    def __init__(self, app: ASGIApp, hosts: AllowedHosts, token: str) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        refusal = None if scope["type"] == "lifespan" else self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        body = {"code": refusal.code, "message": refusal.message}
        challenge = {"WWW-Authenticate": 'Bearer realm="acksim"'} if refusal is _NO_TOKEN else None
        answer = JSONResponse(body, status_code=refusal.status, headers=challenge)
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        if (stranger := self._hosts.refusal(scope)) is not None:
            return stranger
        if scope["path"] in OPEN_PATHS or hmac.compare_digest(_presented(scope), self._token):
            return None
        return _NO_TOKEN


def _presented(scope: Scope) -> bytes:
    """The bearer token of a request that has exactly one Authorization header, else nothing."""
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(sent) != 1:
        return b""
    scheme, _, token = sent[0].partition(b" ")
    return bytes(token.strip()) if scheme.lower() == b"bearer" else b""
