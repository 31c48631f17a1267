"""Who may look into the trail, and into whose."""

from typing import Any

from alibabacloud_actiontrail20200706 import models
from alibabacloud_actiontrail20200706.client import Client

from acksim.clients.world import World
from tests.contract.ram.conftest import Account, Key, new_account, refusal


def look_up(key: Key, **attributes: str) -> list[dict[str, Any]]:
    wanted = [
        models.LookupEventsRequestLookupAttribute(key=name, value=value)
        for name, value in attributes.items()
    ]
    request = models.LookupEventsRequest(lookup_attribute=wanted)
    events: list[dict[str, Any]] = Client(key._config()).lookup_events(request).body.events
    return events


def test_a_user_looks_events_up_by_a_policy_alone(account: Account) -> None:
    alice = account.user("alice")
    error = refusal(lambda: look_up(alice))
    assert (error.code, error.data["statusCode"]) == ("NoPermission", 403)
    detail = error.data["AccessDeniedDetail"]
    assert (detail["AuthAction"], detail["NoPermissionType"]) == (
        "actiontrail:LookupEvents",
        "ImplicitDeny",
    )
    account.attach("alice", {"policy_type": "System", "policy_name": "AliyunActionTrailFullAccess"})
    names = {event["eventName"] for event in look_up(alice, User="root")}
    assert names == {"CreateUser", "CreateAccessKey", "AttachPolicyToUser"}
    (refused,) = look_up(alice, User="alice", ServiceName="Actiontrail")[-1:]
    assert refused["errorCode"] == "NoPermission"


def test_a_secret_key_is_in_no_event(account: Account) -> None:
    secret = account.user("alice").secret
    events = look_up(account.owner, ServiceName="Ram", EventName="CreateAccessKey")
    assert len(events) == 1
    assert secret not in str(events)


def test_a_user_of_one_account_sees_nothing_of_another(acksim: World, account: Account) -> None:
    account.user("alice")
    other = new_account(acksim)
    access = {"policy_type": "System", "policy_name": "AliyunActionTrailFullAccess"}
    bob = other.user("bob", access)
    accounts = {event["recipientAccountId"] for event in look_up(bob)}
    assert accounts == {other.id}
