"""pytest fixtures: a world for the session, an encrypted cluster of one's own for each test.

    def test_app_needs_its_key(acksim_cluster):
        acksim_cluster.create_secret("app1", password="hunter2")
        acksim_cluster.disable_key()
        acksim_cluster.restart()
        ...

The marker `acksim` chooses the cluster: `@pytest.mark.acksim(kms="v2")`,
`@pytest.mark.acksim(encrypted=False)`. Nothing of the product is imported until a fixture is used.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from acksim.clients.world import World
    from acksim.testing import ClusterUnderTest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        'acksim(kms="v1", encrypted=True): the cluster that this test\'s fixtures get',
    )


@pytest.fixture(scope="session")
def acksim() -> "Iterator[World]":
    """A world of etcd, emulator and API server on free ports, gone after the session."""
    from acksim.testing import session_world  # noqa: PLC0415 - see the module's docstring

    with session_world() as world:
        yield world


@pytest.fixture
def acksim_cluster(acksim: "World", request: pytest.FixtureRequest) -> "Iterator[ClusterUnderTest]":
    """An account, a key and a cluster sealed by it, for this test alone."""
    from acksim.testing import ClusterUnderTest  # noqa: PLC0415

    marker = request.node.get_closest_marker("acksim")
    options = dict(marker.kwargs) if marker is not None else {}
    cluster = ClusterUnderTest.create(acksim, **options)
    try:
        yield cluster
    finally:
        cluster.delete()
        acksim.move_clock(reset=True)
