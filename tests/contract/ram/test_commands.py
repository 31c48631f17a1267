"""What the pages have done in RAM, by command: in the root account, under new names."""

import io
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from acksim.cli import main
from acksim.clients.alibaba import ApiClient, ApiRefusedError, Signer
from acksim.clients.kms import Kms
from acksim.clients.world import World
from tests.contract.ram.test_explain import DENY


class Shell:
    """`acksim ram …` in the shared world."""

    def __init__(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        self._place = ["--data-dir", world.facts.data_dir]
        self._capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> str:
        assert main(["ram", *words, *self._place]) == status
        told = self._capsys.readouterr()
        return told.out + told.err

    def json(self, *words: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self(*words, "--json"))
        return answer


@pytest.fixture
def shell(acksim: World, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(acksim, capsys)


@pytest.fixture
def name() -> str:
    return f"n{secrets.token_hex(4)}"


def test_a_deny_policy_keeps_a_user_from_switching_encryption(
    shell: Shell, name: str, tmp_path: Path
) -> None:
    """The page's statement, saved as it stands."""
    page = tmp_path / "deny.json"
    page.write_text(DENY)
    shell("create-user", name, "--policy", "AliyunCSFullAccess")
    assert "may cs:UpdateKMSEncryption" in shell("explain", name, "cs:UpdateKMSEncryption", "*")
    assert f"policy {name} v1" in shell("create-policy", name, str(page))
    shell("attach", name, name)
    told = shell("explain", name, "cs:UpdateKMSEncryption", "*", status=1)
    assert f"Deny by statement 0 of Custom policy {name} v1 (user {name})" in told
    shell("detach", f"user/{name}", name)
    assert "may cs:UpdateKMSEncryption" in shell("explain", name, "cs:UpdateKMSEncryption", "*")


def test_a_user_made_by_command_calls_kms(acksim: World, shell: Shell, name: str) -> None:
    made = shell.json("create-user", name, "--policy", "AliyunKMSCryptoAdminAccess")
    assert Kms(acksim.facts.endpoint, made["AccessKeyId"], made["AccessKeySecret"]).key_ids()
    assert "export ALIBABA_CLOUD_ACCESS_KEY_SECRET=" in shell("create-user", f"{name}2")
    assert "EntityAlreadyExists.User" in shell("create-user", name, status=1)
    assert "EntityNotExist.Policy" in shell("attach", name, "nothing", status=1)


def test_documents_from_standard_input(
    shell: Shell, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = f'{{"Version": "1", "Statement": [{DENY}]}}'
    for number, text in enumerate((whole, DENY, f"[{DENY}]")):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        assert shell.json("create-policy", f"{name}-{number}", "-")["policy"] == f"{name}-{number}"
    for text in ("{", '{"Effect": "Deny"}', "7"):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        assert "MalformedPolicyDocument" in shell("create-policy", f"{name}-x", "-", status=1)
    assert "No such file" in shell("create-policy", name, str(tmp_path / "no"), status=1)


def test_authorizing_container_service_again_changes_nothing(acksim: World, shell: Shell) -> None:
    """The console's authorization page, where it was confirmed before."""
    ram = ApiClient(acksim.facts.endpoint, Signer.of_root(), version="2015-05-01")
    role = {"RoleName": "AliyunCSManagedSecurityRole"}
    before = ram.call("GetRole", **role)["Role"]
    assert "AliyunCSManagedSecurityRole" in shell("authorize")
    assert ram.call("GetRole", **role)["Role"] == before
    policy = {"PolicyType": "System", "PolicyName": f"{role['RoleName']}Policy"}
    ram.call("DetachPolicyFromRole", **role, **policy)
    try:
        assert shell("explain", f"role/{role['RoleName']}", "kms:Decrypt", "*", status=1)
    finally:
        shell("authorize")
    assert shell("explain", f"role/{role['RoleName']}", "kms:Decrypt", "*")
    with pytest.raises(ApiRefusedError, match=r"EntityAlreadyExists\.Role\.Policy"):
        ram.call("AttachPolicyToRole", **role, **policy)
