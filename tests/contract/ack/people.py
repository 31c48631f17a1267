"""RAM users and roles of an account and a cluster's Secrets, as the page tests need them."""

import json
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_ram20150501.client import Client as Ram
from alibabacloud_sts20150401 import models as sts_models
from alibabacloud_sts20150401.client import Client as Sts
from alibabacloud_tea_openapi.models import Config
from kubernetes import client, config

from acksim.clients.alibaba import Signer
from acksim.clients.etcd import Sealed, describe, read_one
from acksim.clients.trail import TrailClient, TrailQuery
from acksim.data_dir.layout import write_private
from tests.contract.ack.conftest import Account


def _config(account: Account) -> Any:
    return Config(
        access_key_id=account.access_key_id,
        access_key_secret=account.access_key_secret,
        endpoint=account.world.facts.endpoint.removeprefix("http://"),
        protocol="HTTP",
    )


def ram_of(account: Account) -> Any:
    return Ram(_config(account))


@dataclass(frozen=True, slots=True)
class RamUser:
    """One user of an account with a key of their own."""

    uid: str
    name: str
    door: Account
    owner: Account

    def attach(self, policy: str, kind: str = "System") -> None:
        ram_of(self.owner).attach_policy_to_user(
            ram_models.AttachPolicyToUserRequest(
                policy_type=kind, policy_name=policy, user_name=self.name
            )
        )

    def attach_statement(self, name: str, *statements: dict[str, Any]) -> None:
        """A custom policy of these statements."""
        document = json.dumps({"Version": "1", "Statement": list(statements)})
        ram_of(self.owner).create_policy(
            ram_models.CreatePolicyRequest(policy_name=name, policy_document=document)
        )
        self.attach(name, "Custom")


def new_user(account: Account, name: str, *policies: str) -> RamUser:
    """With these system policies."""
    ram = ram_of(account)
    user = ram.create_user(ram_models.CreateUserRequest(user_name=name)).body.user
    request = ram_models.CreateAccessKeyRequest(user_name=name)
    key = ram.create_access_key(request).body.access_key
    door = replace(
        account, access_key_id=key.access_key_id, access_key_secret=key.access_key_secret
    )
    made = RamUser(user.user_id, name, door, account)
    for policy in policies:
        made.attach(policy)
    return made


@dataclass(frozen=True, slots=True)
class RoleSession:
    """A RAM role, assumed by a user of the same account."""

    uid: str
    credentials: dict[str, str]
    """As `Account.client` takes them."""


def new_role_session(account: Account, name: str, *policies: str) -> RoleSession:
    ram = ram_of(account)
    trust = {
        "Action": "sts:AssumeRole",
        "Effect": "Allow",
        "Principal": {"RAM": [f"acs:ram::{account.id}:root"]},
    }
    document = json.dumps({"Version": "1", "Statement": [trust]})
    create = ram_models.CreateRoleRequest(role_name=name, assume_role_policy_document=document)
    role = ram.create_role(create).body.role
    for policy in policies:
        ram.attach_policy_to_role(
            ram_models.AttachPolicyToRoleRequest(
                policy_type="System", policy_name=policy, role_name=name
            )
        )
    user = new_user(account, f"{name}-user")
    user.attach("AliyunSTSAssumeRoleAccess")
    sts = Sts(_config(user.door))
    request = sts_models.AssumeRoleRequest(role_arn=role.arn, role_session_name="alice")
    given = sts.assume_role(request).body.credentials
    return RoleSession(
        role.role_id,
        {
            "access_key_id": given.access_key_id,
            "access_key_secret": given.access_key_secret,
            "security_token": given.security_token,
        },
    )


class Secrets:
    """The Secrets of one cluster, through its API and as they lie in etcd."""

    def __init__(self, account: Account, cluster_id: str) -> None:
        self._world = account.world
        self._cluster_id = cluster_id

    @cached_property
    def api(self) -> Any:
        """Of the cluster's administrator."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kubeconfig"
            write_private(path, self._world.kubeconfig(self._cluster_id))
            return client.CoreV1Api(config.new_client_from_config(str(path)))

    def create(self, name: str, password: str = "hunter2") -> None:
        body = {"metadata": {"name": name}, "stringData": {"password": password}}
        self.api.create_namespaced_secret("default", body)

    def read(self, name: str) -> dict[str, str]:
        data: dict[str, str] = self.api.read_namespaced_secret(name, "default").data
        return data

    def raw(self, name: str) -> bytes:
        prefix = self._world.cluster(self._cluster_id)["etcd_prefix"]
        return read_one(self._world.facts.etcd, f"{prefix}/secrets/default/{name}")

    def sealed(self, name: str) -> Sealed:
        return describe(self.raw(name))


def primary_version(account: Account, key_id: str) -> str:
    """What a value sealed under the key now names."""
    described = account.kms.call("DescribeKey", KeyId=key_id)["KeyMetadata"]
    return str(described["PrimaryKeyVersion"])


def calls_by_the_role(account: Account, action: str) -> list[dict[str, Any]]:
    """What the trail shows of KMS calls by the control plane's role."""
    signer = Signer(account.access_key_id, account.access_key_secret)
    trail = TrailClient(account.world.facts.endpoint, signer)
    found = trail.events(TrailQuery({"ServiceName": "Kms", "EventName": action}))
    return [
        event
        for event in found
        if event["userIdentity"]["type"] == "assumed-role"
        and event["userIdentity"]["userName"].startswith("aliyuncsmanagedsecurityrole:")
    ]
