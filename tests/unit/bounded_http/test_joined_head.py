"""An answer's head travels with the beginning of its body."""

from bounded_http.joined_head import JoinedHead


class Wire:
    """Notes what is written, and whether it was closed."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_a_head_is_written_with_its_body() -> None:
    wire = Wire()
    transport = JoinedHead(wire)
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert wire.written == []
    transport.write(b"body")
    transport.write(b"more")
    assert wire.written == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more"]


def test_an_empty_body_sends_the_head_on_its_way() -> None:
    wire = Wire()
    transport = JoinedHead(wire)
    transport.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
    transport.write(b"")
    assert wire.written == [b"HTTP/1.1 404 Not Found\r\n\r\n"]


def test_a_client_that_waits_for_100_continue_is_not_kept_waiting() -> None:
    wire = Wire()
    JoinedHead(wire).write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert wire.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_head_without_a_body_is_not_lost_when_the_connection_closes() -> None:
    wire = Wire()
    transport = JoinedHead(wire)
    transport.write(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    transport.close()
    assert (wire.written, transport.is_closing()) == (
        [b"HTTP/1.1 500 Internal Server Error\r\n\r\n"],
        True,
    )
