"""The HTTP client of a plugin: httpx on aiohttp's connections.

A sealed write waits for one KMS call. httpx's own engine spends about a millisecond of CPU on each
when 32 are under way, aiohttp's a sixth of it.
"""

import httpx
from httpx_aiohttp import AiohttpTransport


def http_client() -> httpx.AsyncClient:
    """Return a client for one event loop, which its owner closes, blind to proxies."""
    return httpx.AsyncClient(trust_env=False, transport=AiohttpTransport())
