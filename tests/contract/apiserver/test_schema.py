"""Every operation of the served OpenAPI with bodies and parameters at random: no 500."""

import ssl
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.core.result import Ok

from tests.contract.apiserver.conftest import ADMIN, ClusterDoor
from tests.patience import PATIENCE

GROUPS = ("api/v1", "apis/rbac.authorization.k8s.io/v1")
# what is 500 upstream too
UPSTREAM_TOO = (
    "failed to create typed patch object",
    "resourceVersion should not be set on objects to be created",
)
NAMES = st.sampled_from(["app1", "app2", "default", "a b", "%2e", "é"])


def operations(door: ClusterDoor, group: str) -> list[Any]:
    with door.client() as api:
        document = api.get(f"/openapi/v3/{group}").json()
    found = schemathesis.openapi.from_dict(document).get_all_operations()
    return [one.ok() for one in found if isinstance(one, Ok)]


@pytest.mark.parametrize("group", GROUPS)
def test_no_internal_errors(shim: Any, group: str) -> None:
    door = shim.new_cluster()
    session = httpx.Client(
        headers={"authorization": f"Bearer {ADMIN.token}"},
        verify=ssl.create_default_context(cafile=str(shim.authority.path)),
        trust_env=False,
        timeout=PATIENCE,
    )
    with session:
        for operation in operations(door, group):
            _try(operation, door.url, session)


def _try(operation: Any, base: str, session: httpx.Client) -> None:
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), name=NAMES)
    def attempt(case: Case[Any], name: str) -> None:
        case.path_parameters = {"namespace": "default", "name": name}
        wanted = case.as_transport_kwargs(base_url=base)
        answer = session.request(
            wanted["method"],
            wanted["url"],
            params=wanted.get("params"),
            json=wanted.get("json"),
            content=wanted.get("data"),
            headers={"content-type": case.media_type or "application/json"},
        )
        told = answer.json() if answer.status_code >= 500 else {}
        if not str(told.get("message", "")).startswith(UPSTREAM_TOO):
            assert answer.status_code < 500, (wanted, answer.text)

    attempt()
