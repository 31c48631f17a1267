"""Why: for the account's owner by `acksim ram explain`, for an administrator by the refusal."""

import json
from typing import Any

import pytest
from alibabacloud_kms20160120 import models as kms
from alibabacloud_ram20150501 import models

from acksim.cli import main
from acksim.clients.world import World
from tests.contract.ram.conftest import KMS_ADMIN, Account, new_account, refusal

DENY = """\
{
    "Action": [
        "cs:UpdateKMSEncryption"
    ],
    "Effect": "Deny",
    "Resource": [
        "*"
    ]
}"""
"""The policy of ACK's page on encrypting Secrets, as it stands there."""

FULL = {"policy_type": "System", "policy_name": "AliyunCSFullAccess"}
UPDATE = "cs:UpdateKMSEncryption"


def ask(
    capsys: pytest.CaptureFixture[str], account: Account, *words: str, status: int
) -> dict[str, Any]:
    place = account.owner.world.facts.data_dir
    arguments = ["--account", account.id, "--data-dir", place, "--json"]
    assert main(["ram", "explain", *words, *arguments]) == status
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_deny_policy_of_the_page_on_encrypting_secrets(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """ "Attach a deny policy for the cs:UpdateKMSEncryption action to the RAM users"."""
    account.user("alice", FULL)
    cluster = f"acs:cs:cn-hangzhou:{account.id}:cluster/c1"
    allowed = ask(capsys, account, "alice", UPDATE, cluster, status=0)
    assert allowed["policy"]["name"] == "AliyunCSFullAccess"
    document = f'{{"Version": "1", "Statement": [{DENY}]}}'
    account.attach("alice", account.policy("no-switching", document))
    denied = ask(capsys, account, "alice", UPDATE, cluster, status=1)
    assert denied["decision"] == "ExplicitDeny"
    assert denied["policy"] == {
        "type": "Custom",
        "name": "no-switching",
        "version": "v1",
        "statement": 0,
        "attached_to": "user alice",
    }
    assert denied["statement"] == json.loads(DENY)
    assert ask(capsys, account, "alice", "cs:ModifyCluster", cluster, status=0)


def test_roles_conditions_and_nothing_at_all(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    role = "role/aliyuncsmanagedsecurityrole"
    found = ask(capsys, account, role, "kms:Decrypt", "*", status=0)
    assert found["policy"]["name"] == "AliyunCSManagedSecurityRolePolicy"
    found = ask(capsys, account, role, "kms:DisableKey", "*", status=1)
    assert (found["decision"], found["policy"]) == ("ImplicitDeny", None)
    statement = {
        "Effect": "Allow",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": {"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}},
    }
    office = account.policy("office", json.dumps({"Version": "1", "Statement": [statement]}))
    account.user("alice", office)
    assert ask(capsys, account, "alice", "kms:Decrypt", "*", status=1)["held"]
    inside = ("--condition", "acs:SourceIp=10.1.2.3")
    assert ask(capsys, account, "alice", "kms:Decrypt", "*", *inside, status=0)


def test_words_for_people(acksim: World, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--data-dir", acksim.facts.data_dir]
    role = "role/AliyunCSManagedSecurityRole"
    assert main(["ram", "explain", role, "kms:Encrypt", "*", *place]) == 0
    told = capsys.readouterr().out
    assert "role/aliyuncsmanagedsecurityrole may kms:Encrypt on *" in told
    assert "Allow by statement 0 of System policy AliyunCSManagedSecurityRolePolicy v1" in told
    assert main(["ram", "explain", role, "kms:CreateKey", "*", *place]) == 1
    assert "may not kms:CreateKey" in capsys.readouterr().out
    assert main(["ram", "explain", "nobody", "kms:CreateKey", "*", *place]) == 1
    assert "EntityNotExist.User" in capsys.readouterr().err
    for words, expected in (
        ("roles", "AliyunCSManagedSecurityRole"),
        ("policies", "AliyunKMSCryptoAdminAccess"),
        ("users", "USER NAME"),
    ):
        assert main(["ram", words, *place]) == 0
        assert expected in capsys.readouterr().out


def test_a_refusal_carries_what_an_administrator_can_read(acksim: World, account: Account) -> None:
    statement = {"Effect": "Deny", "Action": "kms:CreateKey", "Resource": "*"}
    document = json.dumps({"Version": "1", "Statement": [statement]})
    alice = account.user("alice", KMS_ADMIN, account.policy("no-keys", document))
    error = refusal(lambda: alice.kms().create_key(kms.CreateKeyRequest()))
    message = error.data["AccessDeniedDetail"]["EncodedDiagnosticMessage"]
    request = models.DecodeDiagnosticMessageRequest(encoded_diagnostic_message=message)
    assert refusal(lambda: alice.ram().decode_diagnostic_message(request)).code == "NoPermission"
    decoded = account.ram.decode_diagnostic_message(request).body.decoded_diagnostic_message
    assert (decoded.auth_action, decoded.explicit_deny) == ("kms:CreateKey", True)
    assert decoded.auth_resource == f"acs:kms:cn-hangzhou:{account.id}:key"
    [policy] = decoded.matched_policies
    assert (policy.policy_identifier, policy.policy_type, policy.policy_version) == (
        "no-keys",
        "Custom",
        "v1",
    )
    assert (policy.effect, policy.attached_entity_type) == ("Deny", "User")
    assert "acs:SourceIp" in [one.condition_key for one in decoded.auth_conditions]
    other = new_account(acksim)
    for ram, text in ((other.ram, message), (account.ram, message[:-4]), (account.ram, "x")):
        wrong = models.DecodeDiagnosticMessageRequest(encoded_diagnostic_message=text)
        error = refusal(lambda: ram.decode_diagnostic_message(wrong))  # noqa: B023
        assert error.code == "InvalidParameter.EncodedDiagnosticMessage"
