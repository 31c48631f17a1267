"""HEAD as RFC 9110, 9.3.2 has it: what GET answers, without the body."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadAsGet:
    """Lets an application that knows GET alone answer HEAD, too.

    The server leaves the body out: it remembers what was asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
