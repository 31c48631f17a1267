"""What a connection may send, and for how long it may keep others waiting: never."""

import socket
import ssl
import time
from contextlib import ExitStack, suppress

import pytest

from bounded_http.limits import Limits
from tests.contract.bounded_http.conftest import SLOW, Door, rest_of, serving

HOST = b"Host: x\r\n"
LAST = HOST + b"Connection: close\r\n\r\n"


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split(b" ", 2)[1])


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def one_answer(connection: socket.socket) -> bytes:
    """One answer on a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65536)
        assert data, received
        received += data
    head, _, rest = received.partition(b"\r\n\r\n")
    wanted = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(rest) < wanted:
        rest += connection.recv(65536)
    return rest


def test_an_ordinary_request(door: Door) -> None:
    answer = door.ask(b"POST /a?b=1 HTTP/1.1\r\nContent-Length: 3\r\n" + LAST + b"abc")
    assert (status(answer), body(answer)) == (200, b"POST /a 3 3")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"X: " + b"x" * 70_000 + b"\r\n", id="one long header"),
        pytest.param(b"x" * 70_000 + b": x\r\n", id="a long name"),
        pytest.param((b"X: " + b"x" * 1000 + b"\r\n") * 80, id="many headers"),
        pytest.param(b"x:\r\n" * 300, id="many empty headers"),
    ],
)
def test_a_large_head_is_431(door: Door, head: bytes) -> None:
    answer = door.ask(b"GET / HTTP/1.1\r\n", HOST, head, b"\r\n")
    assert (status(answer), body(answer)[:4]) == (431, b"431:")


def test_a_head_that_does_not_end_is_not_kept(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        sent = 0
        try:
            while sent < 100_000_000:
                connection.sendall(b"x" * 65536)
                sent += 65536
        except (ConnectionError, ssl.SSLError):
            pass
    # what the two kernels hold for each other, not what the server does
    assert sent < 50_000_000


def test_a_query_longer_than_its_parser_counts(door: Door) -> None:
    with serving(Limits()) as wide:
        answer = wide.ask(b"GET /a?" + b"q" * 200_000 + b" HTTP/1.1\r\n" + LAST)
    assert (status(answer), body(answer)) == (200, b"GET /a 200000 0")


def test_a_path_that_long_is_414() -> None:
    with serving(Limits()) as wide:
        answer = wide.ask(b"GET /" + b"p" * 100_000 + b"?q HTTP/1.1\r\n" + LAST)
    assert status(answer) == 414


def test_a_large_body_is_not_taken_for_the_next_head(door: Door) -> None:
    large = b"POST /a HTTP/1.1\r\nContent-Length: 200000\r\n" + HOST + b"\r\n" + b"x" * 200_000
    with door.connect() as connection:
        connection.sendall(large + b"GET /b?" + b"q" * 60_000)
        assert one_answer(connection) == b"POST /a 0 200000"
        connection.sendall(b" HTTP/1.1\r\n" + LAST)
        assert body(rest_of(connection)) == b"GET /b 60000 0"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHos", 408, id="part of a head"),
        pytest.param(b"G", 408, id="a letter"),
        pytest.param(b"\r\n", None, id="an empty line"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 9\r\nHost: x\r\n\r\nab", 408, id="body"),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n9\r\na",
            408,
            id="part of a chunk",
        ),
        pytest.param(
            b"POST /unread HTTP/1.1\r\nContent-Length: 9\r\nHost: x\r\n\r\n",
            200,
            id="unwanted body",
        ),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, id="no second request"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /", 200, id="part of a second one"),
    ],
)
def test_who_stops_in_the_middle_is_closed(door: Door, sent: bytes, code: int | None) -> None:
    answer = door.ask(sent)
    assert (status(answer) if answer else None) == code


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nX: ",
        b"POST / HTTP/1.1\r\nContent-Length: 9999\r\nHost: x\r\n\r\n",
    ],
)
def test_to_send_a_byte_now_and_then_gains_no_time(door: Door, sent: bytes) -> None:
    with door.connect() as connection:
        connection.sendall(sent)
        for _ in range(40):
            time.sleep(0.2)
            try:
                connection.sendall(b"x")
            except (ConnectionError, ssl.SSLError):
                break
        else:
            pytest.fail("it may go on for ever")


def test_a_slow_application_is_waited_for(door: Door) -> None:
    assert body(door.ask(b"GET /slow HTTP/1.1\r\n" + LAST)) == b"GET /slow 0 0"


def test_who_does_not_read_an_answer_loses_it(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\n" + LAST)
        time.sleep(5)
        assert len(rest_of(connection)) < 64 << 20


def test_a_body_that_nobody_wants_is_read_to_a_bound(door: Door) -> None:
    head = b"POST /unread HTTP/1.1\r\nContent-Length: 1000000000\r\n" + HOST + b"\r\n"
    with door.connect() as connection:
        connection.sendall(head)
        assert one_answer(connection) == b"POST /unread 0 0"
        with pytest.raises((ConnectionError, ssl.SSLError)):
            connection.sendall(b"x" * 200_000_000)


def test_a_body_that_the_application_would_read_for_ever(door: Door) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with door.connect() as connection:
        connection.sendall(head)
        with suppress(ConnectionError, ssl.SSLError):
            connection.sendall(chunk * 80)
        assert status(rest_of(connection)) == 413


def test_a_handshake_that_does_not_end(door: Door) -> None:
    with door.connect_plainly() as connection:
        # half a TLS record; for a server without TLS no request
        connection.sendall(b"\x16\x03\x01\x02\x00\x01")
        rest_of(connection)


@pytest.mark.parametrize(
    ("request_line", "code"),
    [
        (b"get / HTTP/1.1", 405),
        (b"FOO / HTTP/1.1", 405),
        (b"CONNECT example.com:443 HTTP/1.1", 405),
        (b"TRACE / HTTP/1.1", 200),
        (b"OPTIONS * HTTP/1.1", 200),
        (b"PRI * HTTP/2.0", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        (b"GET example.com HTTP/1.1", 400),
        (b"\x16\x03\x01\x02\x00\x01", 400),
    ],
)
def test_requests_that_are_none_are_answered_at_once(
    door: Door, request_line: bytes, code: int
) -> None:
    answer = door.ask(request_line + b"\r\n" + LAST)
    assert status(answer) == code
    assert body(answer)  # one that was waited for would be closed without a word


def test_head_has_no_body_and_is_not_held_back(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
        connection.sendall(b"HEAD /b HTTP/1.1\r\n" + LAST)
        answer = rest_of(connection)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_a_request_that_asks_for_another_protocol_keeps_its_body(
    door: Door, pieces: int, chunked: bool
) -> None:
    """Java's client asks for h2c with each plain request."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    length = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: 5\r\n"
    content = b"5\r\nhello\r\n0\r\n\r\n" if chunked else b"hello"
    whole = b"POST /a HTTP/1.1\r\n" + upgrade + length + HOST + b"\r\n" + content
    end = len(whole)
    cuts = {1: [end], 2: [whole.index(b"hello"), end], 3: [30, end - 3, end]}[pieces]
    with door.connect() as connection:
        for _ in range(2):
            begin = 0
            for cut in cuts:
                connection.sendall(whole[begin:cut])
                begin = cut
                time.sleep(0.05)
            assert one_answer(connection) == b"POST /a 0 5"


def test_pipelined_requests_around_an_upgrade(door: Door) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n"
    answer = door.ask(
        b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
        b"POST /b HTTP/1.1\r\n" + upgrade + HOST + b"\r\nok"
        b"GET /c HTTP/1.1\r\n" + LAST
    )
    for words in (b"GET /a 0 0", b"POST /b 0 2", b"GET /c 0 0"):
        assert answer.count(words) == 1


def test_what_came_before_nonsense_is_still_answered(door: Door) -> None:
    answer = door.ask(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\nnonsense\r\n\r\n")
    assert (status(answer), body(answer)) == (200, b"GET /slow 0 0")


def test_too_many_connections_make_room_for_new_ones() -> None:
    with serving(Limits(connections=50)) as door, ExitStack() as stack:
        for _ in range(400):
            silent = stack.enter_context(door.connect())
            silent.sendall(b"GET / HTTP/1.1\r\nX:")
        answer = door.ask(b"GET / HTTP/1.1\r\n" + LAST)
        assert (status(answer), body(answer)) == (200, b"GET / 0 0")


def test_where_all_are_busy_a_new_connection_is_refused() -> None:
    before = len(SLOW)
    with serving(Limits(connections=20)) as door, ExitStack() as stack:
        busy = [stack.enter_context(door.connect()) for _ in range(20)]
        for connection in busy:
            connection.sendall(b"GET /slow HTTP/1.1\r\n" + LAST)
        while len(SLOW) < before + len(busy):
            time.sleep(0.01)
        assert status(door.ask()) == 503
        for connection in busy:
            assert body(rest_of(connection)) == b"GET /slow 0 0"
        assert status(door.ask(b"GET / HTTP/1.1\r\n" + LAST)) == 200
