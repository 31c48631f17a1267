"""Users, their access keys and groups, by the unmodified official SDK."""

import json

import pytest
from alibabacloud_kms20160120 import models as kms
from alibabacloud_ram20150501 import models

from acksim.clients.world import World
from tests.contract.ram.conftest import KMS_ADMIN, Account, new_account, refusal


def test_a_users_life(account: Account) -> None:
    ram = account.ram
    made = ram.create_user(
        models.CreateUserRequest(
            user_name="alice.b-1_x",
            display_name="Alice Müller",
            comments="on call",
            email="alice@example.com",
            mobile_phone="86-18600008888",
        )
    ).body.user
    assert (made.user_name, made.display_name) == ("alice.b-1_x", "Alice Müller")
    assert len(made.user_id) == 18
    found = ram.get_user(models.GetUserRequest(user_name="Alice.B-1_X")).body.user
    assert (found.user_id, found.email, found.mobile_phone) == (
        made.user_id,
        "alice@example.com",
        "86-18600008888",
    )
    assert found.create_date.endswith("Z")
    again = models.CreateUserRequest(user_name="ALICE.b-1_x")
    error = refusal(lambda: ram.create_user(again))
    assert (error.code, error.data["statusCode"]) == ("EntityAlreadyExists.User", 409)
    assert "The user does already EXIST." in error.message
    changed = ram.update_user(
        models.UpdateUserRequest(user_name="alice.b-1_x", new_user_name="bob", new_comments="off")
    ).body.user
    assert (changed.user_id, changed.user_name, changed.comments) == (made.user_id, "bob", "off")
    assert changed.display_name == "Alice Müller"
    ram.delete_user(models.DeleteUserRequest(user_name="bob"))
    error = refusal(lambda: ram.get_user(models.GetUserRequest(user_name="bob")))
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.User", 404)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("user_name", "a b", "InvalidParameter.UserName.InvalidChars"),
        ("user_name", "a" * 65, "InvalidParameter.UserName.Length"),
        ("display_name", "x" * 129, "InvalidParameter.DisplayName.Length"),
        ("comments", "x" * 129, "InvalidParameter.Comments.Length"),
        ("user_name", None, "MissingParameter"),
    ],
)
def test_bad_words_are_named(account: Account, field: str, value: str | None, code: str) -> None:
    request = models.CreateUserRequest(**{"user_name": "alice", field: value})
    error = refusal(lambda: account.ram.create_user(request))
    assert (error.code, error.data["statusCode"]) == (code, 400)


def test_lists_come_in_parts(account: Account) -> None:
    names = [f"user-{number:02d}" for number in range(7)]
    for name in reversed(names):
        account.ram.create_user(models.CreateUserRequest(user_name=name))
    found, marker = [], None
    for expected in (3, 3, 1):
        page = account.ram.list_users(models.ListUsersRequest(marker=marker, max_items=3)).body
        assert len(page.users.user) == expected
        found += [user.user_name for user in page.users.user]
        marker = page.marker
        assert page.is_truncated is (expected == 3)
    assert found == names
    error = refusal(lambda: account.ram.list_users(models.ListUsersRequest(marker="%")))
    assert error.code == "InvalidParameter"
    error = refusal(lambda: account.ram.list_users(models.ListUsersRequest(max_items=1001)))
    assert error.code == "InvalidParameter"


def test_what_is_done_to_an_access_key_counts_at_its_next_call(account: Account) -> None:
    alice = account.user("alice", KMS_ADMIN)
    listing = kms.ListKeysRequest()
    alice.kms().list_keys(listing)

    def update(status: str) -> None:
        account.ram.update_access_key(
            models.UpdateAccessKeyRequest(
                user_name="alice", user_access_key_id=alice.id, status=status
            )
        )

    update("Inactive")
    error = refusal(lambda: alice.kms().list_keys(listing))
    assert (error.code, error.data["statusCode"]) == ("Forbidden.AccessKey", 403)
    error = refusal(lambda: alice.ram().get_user(models.GetUserRequest()))
    assert error.code == "InvalidAccessKeyId.Inactive"
    update("Active")
    alice.kms().list_keys(listing)
    account.ram.delete_access_key(
        models.DeleteAccessKeyRequest(user_name="alice", user_access_key_id=alice.id)
    )
    error = refusal(lambda: alice.kms().list_keys(listing))
    assert error.code == "InvalidAccessKeyId.NotFound"


def test_a_user_has_two_access_keys_at_most(account: Account) -> None:
    first = account.user("alice")
    request = models.CreateAccessKeyRequest(user_name="alice")
    second = account.ram.create_access_key(request).body.access_key
    error = refusal(lambda: account.ram.create_access_key(request))
    assert (error.code, error.data["statusCode"]) == ("LimitExceeded.User.AccessKey", 409)
    listed = account.ram.list_access_keys(models.ListAccessKeysRequest(user_name="alice")).body
    keys = listed.access_keys.access_key
    assert {key.access_key_id for key in keys} == {first.id, second.access_key_id}
    assert second.access_key_secret not in json.dumps(listed.to_map())
    error = refusal(lambda: account.ram.delete_user(models.DeleteUserRequest(user_name="alice")))
    assert (error.code, error.data["statusCode"]) == ("DeleteConflict.User.AccessKey", 409)
    unknown = models.DeleteAccessKeyRequest(user_name="alice", user_access_key_id="LTAInobody")
    error = refusal(lambda: account.ram.delete_access_key(unknown))
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.User.AccessKey", 404)


def test_a_user_cares_for_its_own_keys_if_it_may(account: Account) -> None:
    own = f"acs:ram::{account.id}:user/alice"
    statement = {"Effect": "Allow", "Action": "ram:*AccessKey*", "Resource": own}
    document = json.dumps({"Version": "1", "Statement": [statement]})
    alice = account.user("alice", account.policy("own-keys", document)).ram()
    assert len(alice.list_access_keys(models.ListAccessKeysRequest()).body.to_map()) == 2
    alice.create_access_key(models.CreateAccessKeyRequest())
    account.user("bob")
    others = models.CreateAccessKeyRequest(user_name="bob")
    error = refusal(lambda: alice.create_access_key(others))
    assert (error.code, error.data["statusCode"]) == ("NoPermission", 403)
    assert "You are not authorized to do this action." in error.message
    own_of_owner = models.CreateAccessKeyRequest()
    assert refusal(lambda: account.ram.create_access_key(own_of_owner)).code == "MissingParameter"


def test_no_user_has_a_login_profile(account: Account) -> None:
    account.user("alice")
    error = refusal(
        lambda: account.ram.get_login_profile(models.GetLoginProfileRequest(user_name="alice"))
    )
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.User.LoginProfile", 404)
    error = refusal(
        lambda: account.ram.delete_login_profile(models.DeleteLoginProfileRequest(user_name="bob"))
    )
    assert error.code == "EntityNotExist.User"


def test_groups(account: Account) -> None:
    ram = account.ram
    alice = account.user("alice")
    ram.create_group(models.CreateGroupRequest(group_name="devs", comments="all of them"))
    ram.attach_policy_to_group(models.AttachPolicyToGroupRequest(group_name="devs", **KMS_ADMIN))
    listing = kms.ListKeysRequest()
    assert refusal(lambda: alice.kms().list_keys(listing)).code == "Forbidden.NoPermission"
    member = {"group_name": "devs", "user_name": "alice"}
    ram.add_user_to_group(models.AddUserToGroupRequest(**member))
    alice.kms().list_keys(listing)
    error = refusal(lambda: ram.add_user_to_group(models.AddUserToGroupRequest(**member)))
    assert error.code == "EntityAlreadyExists.User.Group"
    [inside] = ram.list_users_for_group(
        models.ListUsersForGroupRequest(group_name="devs")
    ).body.users.user
    assert inside.user_name == "alice"
    [group] = ram.list_groups_for_user(
        models.ListGroupsForUserRequest(user_name="alice")
    ).body.groups.group
    assert (group.group_name, group.comments) == ("devs", "all of them")
    [held] = ram.list_policies_for_group(
        models.ListPoliciesForGroupRequest(group_name="devs")
    ).body.policies.policy
    assert held.policy_name == "AliyunKMSCryptoAdminAccess"
    gone = models.DeleteGroupRequest(group_name="devs")
    assert refusal(lambda: ram.delete_group(gone)).code == "DeleteConflict.Group.Policy"
    ram.detach_policy_from_group(
        models.DetachPolicyFromGroupRequest(group_name="devs", **KMS_ADMIN)
    )
    assert refusal(lambda: alice.kms().list_keys(listing)).code == "Forbidden.NoPermission"
    assert refusal(lambda: ram.delete_group(gone)).code == "DeleteConflict.Group.User"
    ram.remove_user_from_group(models.RemoveUserFromGroupRequest(**member))
    renamed = models.UpdateGroupRequest(group_name="devs", new_group_name="ops", new_comments="-")
    assert ram.update_group(renamed).body.group.group_name == "ops"
    assert [
        g.group_name for g in ram.list_groups(models.ListGroupsRequest()).body.groups.group
    ] == ["ops"]
    ram.delete_group(models.DeleteGroupRequest(group_name="ops"))
    error = refusal(lambda: ram.get_group(models.GetGroupRequest(group_name="ops")))
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.Group", 404)


def test_a_user_of_one_account_sees_nothing_of_another(acksim: World, account: Account) -> None:
    administrator = {"policy_type": "System", "policy_name": "AdministratorAccess"}
    alice = account.user("alice", administrator)
    other = new_account(acksim)
    other.user("bob")
    key_id = other.owner.kms().create_key(kms.CreateKeyRequest()).body.key_metadata.key_id
    assert [
        u.user_name for u in alice.ram().list_users(models.ListUsersRequest()).body.users.user
    ] == ["alice"]
    error = refusal(lambda: alice.ram().get_user(models.GetUserRequest(user_name="bob")))
    assert error.code == "EntityNotExist.User"
    for name in (key_id, f"acs:kms:cn-hangzhou:{other.id}:key/{key_id}"):
        described = kms.DescribeKeyRequest(key_id=name)
        error = refusal(lambda: alice.kms().describe_key(described))  # noqa: B023
        assert error.code == "Forbidden.KeyNotFound"
