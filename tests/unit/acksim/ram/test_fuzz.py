"""Any parameters for any operation of RAM: an answer or one of its own refusals."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acksim.account.ram.operations import OPERATIONS, ram_product
from alibaba_edge.errors import ApiError
from alibaba_edge.gateway.product import Call
from alibaba_edge.ports import Caller, root_caller
from tests.unit.acksim.ram.conftest import NOW, Room

MANY = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BUILT = [row for row in OPERATIONS if row.built]
PARAMETERS = sorted({str(f.alias) for row in BUILT for f in row.request.model_fields.values()})
POLICY = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
TRUST = (
    '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"Service":"ecs.aliyuncs.com"}}]}'
)
WORDS = ("a", "A", "b", "v1", "v2", "Custom", "System", "Active", "True", "3600", "1", "YQ==")
LIKELY = st.sampled_from([*WORDS, "AdministratorAccess", POLICY, TRUST])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Key", "Value", "Statement", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
).map(json.dumps)
VALUES = LIKELY | st.text(max_size=30) | st.text(min_size=60, max_size=140) | JSON
NAMES = st.sampled_from([*PARAMETERS, "Tag.1.Key", "Tag.1.Value", "Tag.2", "Tag.x"])
NAMED = ("UserName", "GroupName", "RoleName", "PolicyName", "PolicyType", "VersionId")
CODES = {
    "InvalidParameter",
    "MalformedPolicyDocument",
    "MissingParameter",
}
FAMILIES = ("EntityNotExist.", "EntityAlreadyExists.", "DeleteConflict.", "LimitExceeded.")


def call_of(caller: Caller) -> Call:
    return Call("r", NOW, caller, "cn-hangzhou", "127.0.0.1", "ram.test", "test")


@MANY
@given(
    row=st.sampled_from(BUILT),
    parameters=st.dictionaries(NAMES, VALUES, max_size=5),
    named=st.fixed_dictionaries(dict.fromkeys(NAMED, LIKELY)),
    real=st.booleans(),
    as_user=st.booleans(),
)
async def test_any_parameters_get_an_answer(
    room: Room,
    row: Any,
    parameters: dict[str, str],
    named: dict[str, str],
    real: bool,
    as_user: bool,
) -> None:
    given_parameters = {**named, **parameters} if real else parameters
    caller = root_caller(room.account, "LTAI")
    if as_user:
        caller = Caller(room.account, "LTAI", "ram-user", "2", "a", "acs:ram::1:user/a")
    statuses = ram_product(room.ram).statuses
    refusal = None
    try:
        asked = row.parse(given_parameters)
        found = await row.find(room.ram, call_of(caller), asked)
        assert all(resource.arn.startswith("acs:ram::") for resource in found.resources)
        answer = await row.run(room.ram, asked, found.subject)
        json.dumps(answer)
    except ApiError as error:
        refusal = error.code
    if refusal is not None:
        assert refusal in CODES or refusal.startswith(("InvalidParameter.", *FAMILIES))
        assert (refusal in statuses) == refusal.startswith(FAMILIES)
