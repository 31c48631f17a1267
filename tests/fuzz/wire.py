"""HTTP/1.1 as bytes: a client that sends whatever it is given and reads one answer."""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

ANSWER_SECONDS = 20.0
_HEAD_LIMIT = 256 * 1024


class NoAnswerError(Exception):
    """The server closed the connection, or answered what is no HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers in lower case, and the body as it was before chunking."""

    status: int
    headers: dict[str, str]
    body: bytes


def request_bytes(
    method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes = b""
) -> bytes:
    """A request with its length, in whatever words it is given."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"content-length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogatepass") + body


class Wire:
    """One connection, opened when it is needed and again after it was closed."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._place = (host, port)
        self._tls = tls
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: bytes, *, head_only: bool = False) -> Answer:
        """Send and read one answer. Raises NoAnswerError, or TimeoutError after 20 seconds."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await self._open()
                writer.write(request)
                await writer.drain()
                answer = await _read(reader, head_only=head_only)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            await self.close()
            raise NoAnswerError(f"{type(error).__name__}: {error}") from None
        except TimeoutError:
            await self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            await self.close()
        return answer

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof():
            await self.close()
            self._streams = await asyncio.open_connection(
                *self._place, ssl=self._tls, limit=_HEAD_LIMIT
            )
        return self._streams


async def _read(reader: asyncio.StreamReader, *, head_only: bool) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    status = int(first.split(" ", 2)[1])
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if head_only or status in {204, 304}:
        return Answer(status, headers, b"")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Answer(status, headers, await _read_chunks(reader))
    if "content-length" in headers:
        return Answer(status, headers, await reader.readexactly(int(headers["content-length"])))
    headers["connection"] = "close"
    return Answer(status, headers, await reader.read())


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body
