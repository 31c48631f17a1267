"""Every operation of the served OpenAPI with parameters at random: no 5xx, no odd error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.core.result import Ok

if TYPE_CHECKING:
    World = Any

HELLO = "aGVsbG8="


def operations(world: World) -> list[Any]:
    document = world.client.get(f"http://{world.endpoint}/openapi.json").json()
    found = schemathesis.openapi.from_dict(document).get_all_operations()
    return [one.ok() for one in found if isinstance(one, Ok)]


@pytest.fixture
def subject(world: World) -> Any:
    """What is there to be found, so that random parameters get further than the front door."""
    key_id = world.create_key()
    alias = f"alias/{uuid4()}"
    assert world.call("CreateAlias", KeyId=key_id, AliasName=alias).status == 200
    described = world.call("DescribeKey", KeyId=key_id).body["KeyMetadata"]
    blob = world.call("Encrypt", KeyId=key_id, Plaintext=HELLO).body["CiphertextBlob"]
    return world.subject(key_id, described["PrimaryKeyVersion"], alias, blob)


def test_no_internal_errors(world: World, subject: Any) -> None:
    found = operations(world)
    assert len(found) > 40
    for operation in found:
        _try(world, operation, subject)


def _try(world: World, operation: Any, subject: Any) -> None:
    action = operation.definition.raw["operationId"]
    sound = subject.parameters(action)

    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), kept=st.sets(st.sampled_from(sorted(sound))))
    def attempt(case: Case[Any], kept: set[str]) -> None:
        random = {name: str(value) for name, value in (case.query or {}).items()}
        parameters = {n: v for n, v in random.items() if n not in {"Action", "Version"}}
        parameters |= {name: sound[name] for name in kept}
        try:
            request = world.signed(action, world.alice, parameters)
        except (ValueError, UnicodeError):  # what no client could send
            return
        answer = world.send(request)
        assert answer.status < 500, (parameters, answer.body)
        assert answer.body["RequestId"]
        if answer.status != 200:
            assert answer.body["HttpStatus"] == answer.status
            assert answer.code != "InternalFailure"
            assert answer.code not in {"SignatureDoesNotMatch", "IncompleteSignature"}, parameters
            assert answer.body["Message"]

    attempt()


def test_random_parameters_reach_the_domain(world: World, subject: Any) -> None:
    """Otherwise the test above would try the front door alone."""
    encrypt = next(o for o in operations(world) if o.definition.raw["operationId"] == "Encrypt")
    before = len(world.records)
    _try(world, encrypt, subject)
    answers = {(record.http_status, record.error_code) for record in world.records[before:]}
    assert (200, None) in answers
    assert len(answers) > 1
