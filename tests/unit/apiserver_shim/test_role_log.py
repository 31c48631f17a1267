"""What a process logs is bounded, whoever makes it log, and nothing of it is lost uncounted."""

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from apiserver_shim import role_log
from apiserver_shim.role_log import Bounded, Repeated


class Minutes:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, stream = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    root.handlers.clear()  # pytest's own keep every record
    role_log.set_up(stream)
    yield stream
    root.handlers[:], root.level = before, level


def say(filter_: Repeated, text: str, logger: str = "a") -> str:
    record = logging.LogRecord(logger, logging.WARNING, "file.py", 1, text, None, None)
    return record.getMessage() if filter_.filter(record) else ""


def test_what_repeats_is_counted() -> None:
    time = Minutes()
    repeated = Repeated(time.now)
    said = [say(repeated, f"bad request {number}") for number in range(1000)]
    passed = [text for text in said if text]
    assert passed[:9] == [f"bad request {number}" for number in range(9)]
    assert passed[9:] == ["bad request 9 [more of the kind are counted for a minute, not logged]"]
    time.seconds = 61
    assert say(repeated, "again") == "again [990 of the kind were not logged before]"
    time.seconds = 200
    assert say(repeated, "again") == "again"


def test_places_have_their_own_count() -> None:
    repeated = Repeated(Minutes().now)
    for line in range(20):
        record = logging.LogRecord("a", logging.INFO, "file.py", line, "x", None, None)
        assert repeated.filter(record)


def test_a_hundred_thousand_failures_of_any_logger_leave_little(stream: io.StringIO) -> None:
    def fail(number: int) -> None:
        raise ValueError(f"number {number}")

    for name in ("uvicorn.error", "grpc._cython.cygrpc", "asyncio", "acksim"):
        logger = logging.getLogger(name)
        for number in range(25_000):
            try:
                fail(number)
            except ValueError:
                logger.exception("request %d of %s failed", number, name)
    assert stream.getvalue().count("Traceback") == 10
    assert len(stream.getvalue()) < 20_000


async def test_asyncios_own_reports_are_bounded(stream: io.StringIO) -> None:
    """Each has the address of another object in its text."""

    async def fall() -> None:
        raise ValueError("nobody waits for this")

    for _ in range(500):
        task = asyncio.create_task(fall())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
    assert stream.getvalue().count("Traceback") == 10


def test_a_long_record_loses_its_middle() -> None:
    record = logging.LogRecord("a", logging.INFO, "f", 1, "<" + "x" * 10**6 + ">", None, None)
    text = Bounded("%(message)s").format(record)
    assert len(text) < 17_000
    assert text.startswith("<x")
    assert text.endswith("x>")
    assert "983618 characters left out" in text
