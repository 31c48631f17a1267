"""The HTTP client of a plugin: httpx's requests on aiohttp's connections.

A sealed write waits for one KMS call. httpx's own engine spends about a millisecond of CPU on each
when 32 are under way, aiohttp's a sixth of it; and what httpx's client does around its transport
(redirects, cookies, authentication) costs as much again, for nothing that a KMS answers.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

import httpx
from httpx_aiohttp import AiohttpTransport

_PLAIN = {"accept-encoding": "identity"}  # answers are read as they come


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class HttpClient:
    """Sends requests to wherever they say, blind to proxies; belongs to one event loop."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport or AiohttpTransport()

    async def send(self, method: str, url: str, *, headers: Mapping[str, str] = _PLAIN) -> Answer:
        """Return the answer, whatever its status, however long it takes; raises httpx.HTTPError."""
        request = httpx.Request(method, url, headers={**_PLAIN, **headers})
        response = await self._transport.handle_async_request(request)
        stream = cast("httpx.AsyncByteStream", response.stream)
        try:
            content = b"".join([chunk async for chunk in stream])
        finally:
            await stream.aclose()
        return Answer(response.status_code, content)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
