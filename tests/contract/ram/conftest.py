"""An account of one's own in the shared world, and the official SDKs as any of its callers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_ram20150501 import models
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_tea_openapi.models import Config

from acksim.clients.world import World

KMS_ADMIN = {"policy_type": "System", "policy_name": "AliyunKMSCryptoAdminAccess"}


@dataclass(frozen=True, slots=True)
class Key:
    """An access key of somebody in the account."""

    world: World
    id: str
    secret: str = field(repr=False)

    def ram(self) -> Any:
        return RamClient(self._config())

    def kms(self) -> Any:
        return KmsClient(self._config())

    def _config(self) -> Config:
        return Config(
            access_key_id=self.id,
            access_key_secret=self.secret,
            endpoint=self.world.facts.endpoint.removeprefix("http://"),
            protocol="HTTP",
            region_id="cn-hangzhou",
        )


@dataclass(frozen=True, slots=True)
class Account:
    """An account, with its owner's clients."""

    id: str
    owner: Key
    ram: Any

    def user(self, name: str, *policies: dict[str, str]) -> Key:
        """A user with an access key and these policies."""
        self.ram.create_user(models.CreateUserRequest(user_name=name))
        for policy in policies:
            self.attach(name, policy)
        request = models.CreateAccessKeyRequest(user_name=name)
        key = self.ram.create_access_key(request).body.access_key
        return Key(self.owner.world, key.access_key_id, key.access_key_secret)

    def attach(self, user_name: str, policy: dict[str, str]) -> None:
        request = models.AttachPolicyToUserRequest(user_name=user_name, **policy)
        self.ram.attach_policy_to_user(request)

    def policy(self, name: str, document: str) -> dict[str, str]:
        """A custom policy, as it is named when it is attached."""
        request = models.CreatePolicyRequest(policy_name=name, policy_document=document)
        self.ram.create_policy(request)
        return {"policy_type": "Custom", "policy_name": name}


def refusal(call: Callable[[], object]) -> Any:
    """The SDK's own exception: e.code, e.message, e.data."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever the SDK raises
        call()
    return raised.value


def new_account(world: World, *, authorized: bool = True) -> Account:
    made = world.new_account(authorized=authorized)
    owner = Key(world, made["access_key_id"], made["access_key_secret"])
    return Account(made["account_id"], owner, owner.ram())


@pytest.fixture
def account(acksim: World) -> Account:
    return new_account(acksim)
