"""Policies, their versions and who has them, by the unmodified official SDK."""

import json

import pytest
from alibabacloud_kms20160120 import models as kms
from alibabacloud_ram20150501 import models
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import RpcRequest

from acksim.clients.world import World
from tests.contract.ram.conftest import KMS_ADMIN, Account, refusal


def document(effect: str = "Allow", action: str = "kms:*", resource: str = "*") -> str:
    statement = {"Effect": effect, "Action": [action], "Resource": [resource]}
    return json.dumps({"Version": "1", "Statement": [statement]})


def test_kms_by_a_user_with_and_without_a_policy(account: Account) -> None:
    alice = account.user("alice")
    create = kms.CreateKeyRequest()
    error = refusal(lambda: alice.kms().create_key(create))
    assert (error.code, error.data["statusCode"]) == ("Forbidden.NoPermission", 403)
    detail = error.data["AccessDeniedDetail"]
    user_id = account.ram.get_user(models.GetUserRequest(user_name="alice")).body.user.user_id
    detail.pop("EncodedDiagnosticMessage", None)
    assert detail == {
        "AuthAction": "kms:CreateKey",
        "AuthPrincipalType": "SubUser",
        "AuthPrincipalDisplayName": user_id,
        "AuthPrincipalOwnerId": account.id,
        "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    }
    account.attach("alice", KMS_ADMIN)
    key = alice.kms().create_key(create).body.key_metadata.key_id
    sealed = alice.kms().encrypt(kms.EncryptRequest(key_id=key, plaintext="aGk=")).body
    opened = alice.kms().decrypt(kms.DecryptRequest(ciphertext_blob=sealed.ciphertext_blob)).body
    assert opened.plaintext == "aGk="
    account.ram.detach_policy_from_user(
        models.DetachPolicyFromUserRequest(user_name="alice", **KMS_ADMIN)
    )
    decrypt = kms.DecryptRequest(ciphertext_blob=sealed.ciphertext_blob)
    assert refusal(lambda: alice.kms().decrypt(decrypt)).code == "Forbidden.NoPermission"


def test_a_deny_wins_and_is_not_explained_to_whom_it_stops(account: Account) -> None:
    deny = account.policy("no-new-keys", document("Deny", "kms:CreateKey"))
    alice = account.user("alice", KMS_ADMIN, deny)
    error = refusal(lambda: alice.kms().create_key(kms.CreateKeyRequest()))
    assert error.data["AccessDeniedDetail"]["NoPermissionType"] == "ExplicitDeny"
    assert "no-new-keys" not in json.dumps(error.data)
    alice.kms().list_keys(kms.ListKeysRequest())


def test_a_policys_life(account: Account) -> None:
    ram = account.ram
    made = ram.create_policy(
        models.CreatePolicyRequest(
            policy_name="keys-1", policy_document=document(), description="all of KMS"
        )
    ).body.policy
    assert (made.policy_name, made.policy_type, made.default_version) == ("keys-1", "Custom", "v1")
    again = models.CreatePolicyRequest(policy_name="Keys-1", policy_document=document())
    assert refusal(lambda: ram.create_policy(again)).code == "EntityAlreadyExists.Policy"
    named = {"policy_name": "keys-1", "policy_type": "Custom"}
    alice = account.user("alice", named)
    alice.kms().list_keys(kms.ListKeysRequest())

    version = ram.create_policy_version(
        models.CreatePolicyVersionRequest(
            policy_name="keys-1", policy_document=document(action="ecs:*"), set_as_default=True
        )
    ).body.policy_version
    assert (version.version_id, version.is_default_version) == ("v2", True)
    listing = kms.ListKeysRequest()
    assert refusal(lambda: alice.kms().list_keys(listing)).code == "Forbidden.NoPermission"
    ram.set_default_policy_version(
        models.SetDefaultPolicyVersionRequest(policy_name="keys-1", version_id="v1")
    )
    alice.kms().list_keys(listing)

    found = ram.get_policy(models.GetPolicyRequest(**named)).body
    assert (found.policy.attachment_count, found.policy.default_version) == (1, "v1")
    assert json.loads(found.default_policy_version.policy_document) == json.loads(document())
    versions = ram.list_policy_versions(models.ListPolicyVersionsRequest(**named)).body
    shown = [(v.version_id, v.is_default_version) for v in versions.policy_versions.policy_version]
    assert shown == [("v1", True), ("v2", False)]
    entities = ram.list_entities_for_policy(models.ListEntitiesForPolicyRequest(**named)).body
    assert [user.user_name for user in entities.users.user] == ["alice"]
    assert (entities.roles.role, entities.groups.group) == ([], [])

    delete = models.DeletePolicyRequest(policy_name="keys-1")
    error = refusal(lambda: ram.delete_policy(delete))
    assert (error.code, error.data["statusCode"]) == ("DeleteConflict.Policy.User", 409)
    ram.detach_policy_from_user(models.DetachPolicyFromUserRequest(user_name="alice", **named))
    assert refusal(lambda: ram.delete_policy(delete)).code == "DeleteConflict.Policy.Version"
    default = models.DeletePolicyVersionRequest(policy_name="keys-1", version_id="v1")
    error = refusal(lambda: ram.delete_policy_version(default))
    assert error.code == "DeleteConflict.Policy.Version.Default"
    ram.delete_policy_version(
        models.DeletePolicyVersionRequest(policy_name="keys-1", version_id="v2")
    )
    ram.delete_policy(delete)
    error = refusal(lambda: ram.get_policy(models.GetPolicyRequest(**named)))
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.Policy", 404)


def test_five_versions_then_one_has_to_go(account: Account) -> None:
    account.policy("keys", document())
    request = {"policy_name": "keys", "policy_document": document(action="ecs:*")}
    for _ in range(4):
        account.ram.create_policy_version(models.CreatePolicyVersionRequest(**request))
    sixth = models.CreatePolicyVersionRequest(**request)
    error = refusal(lambda: account.ram.create_policy_version(sixth))
    assert (error.code, error.data["statusCode"]) == ("LimitExceeded.Policy.Version", 409)
    made = account.ram.create_policy_version(
        models.CreatePolicyVersionRequest(
            **request, rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded"
        )
    ).body.policy_version
    assert made.version_id == "v6"
    versions = account.ram.list_policy_versions(
        models.ListPolicyVersionsRequest(policy_name="keys", policy_type="Custom")
    ).body.policy_versions.policy_version
    assert [version.version_id for version in versions] == ["v1", "v3", "v4", "v5", "v6"]
    wrong = models.GetPolicyVersionRequest(policy_name="keys", policy_type="Custom", version_id="2")
    error = refusal(lambda: account.ram.get_policy_version(wrong))
    assert error.code == "InvalidParameter.VersionId.Format"
    gone = models.GetPolicyVersionRequest(policy_name="keys", policy_type="Custom", version_id="v2")
    error = refusal(lambda: account.ram.get_policy_version(gone))
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.Policy.Version", 404)


def test_attachments(account: Account) -> None:
    account.user("alice", KMS_ADMIN)
    twice = models.AttachPolicyToUserRequest(user_name="alice", **KMS_ADMIN)
    error = refusal(lambda: account.ram.attach_policy_to_user(twice))
    assert (error.code, error.data["statusCode"]) == ("EntityAlreadyExists.User.Policy", 409)
    other = models.DetachPolicyFromUserRequest(
        user_name="alice", policy_type="System", policy_name="AliyunCSFullAccess"
    )
    error = refusal(lambda: account.ram.detach_policy_from_user(other))
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.User.Policy", 404)
    for number in range(5):
        account.attach("alice", account.policy(f"own-{number}", document()))
    account.policy("own-5", document())
    sixth = models.AttachPolicyToUserRequest(
        user_name="alice", policy_type="Custom", policy_name="own-5"
    )
    error = refusal(lambda: account.ram.attach_policy_to_user(sixth))
    assert (error.code, error.data["statusCode"]) == ("LimitExceeded.User.Policy", 409)
    error = refusal(lambda: account.ram.delete_user(models.DeleteUserRequest(user_name="alice")))
    assert error.code == "DeleteConflict.User.Policy"
    unknown = models.AttachPolicyToUserRequest(
        user_name="alice", policy_type="system", policy_name="AliyunCSFullAccess"
    )
    error = refusal(lambda: account.ram.attach_policy_to_user(unknown))
    assert error.code == "InvalidParameter.PolicyType"


def test_policies_of_the_system_are_listed_with_ones_own(account: Account) -> None:
    account.policy("zzz", document())
    found, marker = [], None
    while True:
        page = account.ram.list_policies(
            models.ListPoliciesRequest(marker=marker, max_items=4)
        ).body
        found += [(policy.policy_type, policy.policy_name) for policy in page.policies.policy]
        if not page.is_truncated:
            break
        marker = page.marker
    assert ("System", "AliyunKMSCryptoAdminAccess") in found
    assert found[-1] == ("Custom", "zzz")
    assert len(found) == len(set(found))
    own = account.ram.list_policies(models.ListPoliciesRequest(policy_type="Custom")).body
    assert [policy.policy_name for policy in own.policies.policy] == ["zzz"]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ('{"Version":"1","Statement":[{"Effect":"allow"}]}', "Statement[0].Effect"),
        (document(action="kms"), "Statement[0].Action[0]"),
        (document(resource="acs:kms:*"), "Statement[0].Resource[0]"),
        (document()[:-1] + ',"Id":"x"}', "Id"),
        ("x" * 6145, None),
    ],
)
def test_a_policy_that_cannot_be_obeyed_is_refused(
    account: Account, document: str, place: str | None
) -> None:
    request = models.CreatePolicyRequest(policy_name="keys", policy_document=document)
    error = refusal(lambda: account.ram.create_policy(request))
    if place is None:
        assert error.code == "InvalidParameter.PolicyDocument.Length"
    else:
        assert (error.code, error.data["statusCode"]) == ("MalformedPolicyDocument", 400)
        assert place in error.message


def test_a_legacy_signature(acksim: World, account: Account) -> None:
    """aliyun-python-sdk-core: RPC with HMAC-SHA1."""
    client = AcsClient(account.owner.id, account.owner.secret, "cn-hangzhou")

    def call(action: str, **parameters: str) -> dict[str, object]:
        request = RpcRequest("Ram", "2015-05-01", action)
        request.set_endpoint(acksim.facts.endpoint.removeprefix("http://"))
        request.set_protocol_type("http")
        request.set_accept_format("json")
        for name, value in parameters.items():
            request.add_query_param(name, value)
        answer: dict[str, object] = json.loads(client.do_action_with_exception(request))
        return answer

    call("CreateUser", UserName="alice", DisplayName="Älice & co")
    assert call("GetUser", UserName="alice")["User"]["DisplayName"] == "Älice & co"  # type: ignore[index]
    with pytest.raises(ServerException) as raised:
        call("GetUser", UserName="bob")
    assert raised.value.get_error_code() == "EntityNotExist.User"
    assert raised.value.get_http_status() == 404


def test_what_is_not_built_says_so(account: Account) -> None:
    request = models.CreateLoginProfileRequest(user_name="alice", password="x")
    error = refusal(lambda: account.ram.create_login_profile(request))
    assert error.code == "UnsupportedOperation.NotBuilt"
