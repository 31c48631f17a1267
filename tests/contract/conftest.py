"""A PostgreSQL for every test that wants one: one server a test process, started when needed."""

from collections.abc import Callable, Iterator

import pytest

from benchmarks.postgresql import temporary_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """Makes a new empty database at each call and answers its URL."""
    with temporary_server(durable=False) as server:
        yield server.new_database
