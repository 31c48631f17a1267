"""The trail and the bill against a count of one's own: every call that was made, and no other."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alibabacloud_actiontrail20200706 import models as trail_models
from alibabacloud_actiontrail20200706.client import Client as TrailSdk
from alibabacloud_bssopenapi20171214 import models as bss_models
from alibabacloud_bssopenapi20171214.client import Client as BssSdk
from alibabacloud_cs20151215 import models as cs_models
from alibabacloud_cs20151215.client import Client as CsSdk
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_kms20160120.client import Client as KmsSdk
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_ram20150501.client import Client as RamSdk
from alibabacloud_sts20150401 import models as sts_models
from alibabacloud_sts20150401.client import Client as StsSdk
from alibabacloud_tea_openapi.models import Config

from acksim.clients.alibaba import Signer
from acksim.clients.world import World
from acksim.testing import ClusterUnderTest

Fact = tuple[str, str, str, str]
"""Product, operation, caller's name, error code."""

TRUST = (
    '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"RAM":["acs:ram::%s:root"]}}]}'
)
ROUNDS = 8


class Person:
    """Somebody with an access key who calls, and writes down each call."""

    def __init__(self, world: World, name: str, signer: Signer, counted: Counter[Fact]) -> None:
        self.name = name
        self._counted = counted
        self._config = Config(
            access_key_id=signer.access_key_id,
            access_key_secret=signer.access_key_secret,
            security_token=signer.security_token or None,
            endpoint=world.facts.endpoint.removeprefix("http://"),
            protocol="HTTP",
            region_id="cn-hangzhou",
        )

    def call(self, product: str, sdk: Any, operation: str, *arguments: Any, code: str = "") -> Any:
        """The body of the answer; with `code`, a refusal is what is expected."""
        self._counted[product, operation, self.name, code] += 1
        method: Callable[..., Any] = getattr(sdk(self._config), _snake(operation))
        if not code:
            return method(*arguments).body
        with pytest.raises(Exception) as refused:  # noqa: PT011 - the SDK's own
            method(*arguments)
        assert getattr(refused.value, "code", None) == code
        return None


def _snake(operation: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation)[1:]


def use_keys(who: Person, key_id: str) -> None:
    for number in range(ROUNDS):
        encrypt = kms_models.EncryptRequest(key_id=key_id, plaintext="aGk=")
        sealed = who.call("Kms", KmsSdk, "Encrypt", encrypt).ciphertext_blob
        if number % 2:
            decrypt = kms_models.DecryptRequest(ciphertext_blob=sealed)
            who.call("Kms", KmsSdk, "Decrypt", decrypt)
    unknown = kms_models.EncryptRequest(key_id="no-such-key", plaintext="aGk=")
    who.call("Kms", KmsSdk, "Encrypt", unknown, code="Forbidden.KeyNotFound")
    who.call("Kms", KmsSdk, "ListAliases", kms_models.ListAliasesRequest())


def look_around(who: Person) -> None:
    for _ in range(ROUNDS):
        who.call("Sts", StsSdk, "GetCallerIdentity")
        who.call("Actiontrail", TrailSdk, "LookupEvents", trail_models.LookupEventsRequest())
        balance = who.call("BssOpenApi", BssSdk, "QueryAccountBalance")
        assert balance.success
        who.call("CS", CsSdk, "DescribeClustersV1", cs_models.DescribeClustersV1Request())
    missing = ram_models.GetRoleRequest(role_name="nobody")
    who.call("Ram", RamSdk, "GetRole", missing, code="EntityNotExist.Role")
    bill = bss_models.QueryBillRequest(billing_cycle="never")
    who.call("BssOpenApi", BssSdk, "QueryBill", bill, code="InvalidParameter")


def store_secrets(cluster: ClusterUnderTest) -> None:
    for number in range(ROUNDS):
        cluster.create_secret(f"app{number}", password="hunter2")


def hire(owner: Person, account_id: str) -> Signer:
    """A user, alice, and a role that she may take on."""
    owner.call("Ram", RamSdk, "CreateUser", ram_models.CreateUserRequest(user_name="alice"))
    request = ram_models.CreateAccessKeyRequest(user_name="alice")
    key = owner.call("Ram", RamSdk, "CreateAccessKey", request).access_key
    attach = ram_models.AttachPolicyToUserRequest(
        user_name="alice", policy_type="System", policy_name="AliyunSTSAssumeRoleAccess"
    )
    owner.call("Ram", RamSdk, "AttachPolicyToUser", attach)
    role = ram_models.CreateRoleRequest(
        role_name="Clerk", assume_role_policy_document=TRUST % account_id
    )
    owner.call("Ram", RamSdk, "CreateRole", role)
    return Signer(key.access_key_id, key.access_key_secret)


def test_trail_and_bill_agree_with_a_count_of_ones_own(acksim: World) -> None:
    cluster = ClusterUnderTest.create(acksim)
    counted: Counter[Fact] = Counter()
    counted["Kms", "CreateKey", "root", ""] += 1  # the fixture's
    owner = Person(acksim, "root", cluster.signer, counted)
    alice = Person(acksim, "alice", hire(owner, cluster.account_id), counted)
    denied = kms_models.EncryptRequest(key_id=cluster.key_id, plaintext="aGk=")
    alice.call("Kms", KmsSdk, "Encrypt", denied, code="Forbidden.NoPermission")
    role_arn = f"acs:ram::{cluster.account_id}:role/Clerk"
    assume = sts_models.AssumeRoleRequest(role_arn=role_arn, role_session_name="desk")
    keys = alice.call("Sts", StsSdk, "AssumeRole", assume).credentials
    session = Signer(keys.access_key_id, keys.access_key_secret, keys.security_token)
    clerk = Person(acksim, "clerk:desk", session, counted)
    clerk.call("Sts", StsSdk, "GetCallerIdentity")
    KmsSdk(owner._config).describe_regions()  # the one that is not recorded
    at_once: list[Callable[[], None]] = [
        lambda: use_keys(owner, cluster.key_id),
        lambda: look_around(owner),
        lambda: use_keys(owner, cluster.key_id),
        lambda: store_secrets(cluster),
    ]
    with ThreadPoolExecutor(len(at_once)) as threads:
        list(threads.map(lambda job: job(), at_once))
    sealer = f"aliyuncsmanagedsecurityrole:{cluster.account_id}"
    counted["Kms", "Encrypt", sealer, ""] += ROUNDS  # one DEK a Secret

    found = Counter(_fact(event) for event in _all_events(owner))
    # What else the control plane asked about the key, nobody here could count.
    asked = {fact for fact in found if fact[2] == sealer and fact[1] != "Encrypt"}
    assert {fact[1] for fact in asked} <= {"DescribeKey"}
    for fact in asked:
        del found[fact]
    assert found == counted
    billable = {"Encrypt", "Decrypt"}
    billed = sum(n for (_, name, _, code), n in counted.items() if name in billable and not code)
    assert cluster.bill()["calls"] == billed
    cluster.delete()


def _all_events(owner: Person) -> list[dict[str, Any]]:
    """By all pages of the size seven; this reader's own lookups are newer than all of them."""
    client, events, token = TrailSdk(owner._config), [], None
    while True:
        request = trail_models.LookupEventsRequest(max_results="7", next_token=token)
        body = client.lookup_events(request).body
        events += body.events
        token = body.next_token
        if token is None:
            return events


def _fact(event: dict[str, Any]) -> Fact:
    caller = event["userIdentity"]["userName"]
    return event["serviceName"], event["eventName"], caller, event["errorCode"]
