"""An answer's head and the beginning of its body in one packet and one system call."""

from typing import Any

_LONG = 1 << 16  # no use in copying this
# not that of "100 Continue", which the client waits for before it sends a body
_FINAL_HEAD = tuple(b"HTTP/1.1 %d" % hundred for hundred in (2, 3, 4, 5))


class JoinedHead:
    """A transport that keeps an answer's head until what follows it.

    uvicorn writes the two apart, even an empty body; only an answer to HEAD has nothing to follow,
    for which there is ``flush``.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if not head and data.startswith(_FINAL_HEAD):
            self._head = data
        elif head and len(data) > _LONG:
            self._transport.write(head)
            self._transport.write(data)
        else:
            self._transport.write(head + data)

    def flush(self) -> None:
        """Send a head that nothing follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
