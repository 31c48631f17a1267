"""GrantPermissions is real: a RAM user's kubeconfig is allowed exactly what was granted."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_cs20151215 import models
from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException

from acksim.clients.alibaba import ApiClient, Signer
from tests.contract.ack.conftest import Account
from tests.contract.ack.kubeconfigs import core_v1, user_kubeconfig
from tests.contract.ack.people import RamUser, new_user

Refused = Callable[..., Any]

EVERYTHING: dict[str, Callable[[Any], Any]] = {
    "write a Secret": lambda api: api.create_namespaced_secret("default", _new()),
    "read a Secret": lambda api: api.list_namespaced_secret("default"),
    "read elsewhere": lambda api: api.list_namespaced_secret("kube-system"),
    "make a namespace": lambda api: api.create_namespace(_new()),
    "see namespaces": lambda api: api.list_namespace(),
    "change roles": lambda api: kubernetes.RbacAuthorizationV1Api(
        api.api_client
    ).create_cluster_role({**_new(), "rules": []}),
}
NOTHING: frozenset[str] = frozenset()
ALL = frozenset(EVERYTHING)


def _new() -> dict[str, Any]:
    return {"metadata": {"generateName": "made-"}}


def allowed(client: Any, cluster_id: str) -> frozenset[str]:
    """What whoever `client` is may do, tried."""
    done = set()
    with core_v1(client, cluster_id) as api:
        for name, attempt in EVERYTHING.items():
            try:
                attempt(api)
            except ApiException as error:
                if error.status != 403:
                    raise
            else:
                done.add(name)
    return frozenset(done)


@pytest.fixture
def user(account: Account) -> RamUser:
    return new_user(account, "developer", "AliyunCSFullAccess")


def grant(account: Account, user: RamUser, *items: dict[str, Any]) -> None:
    body = [models.GrantPermissionsRequestBody(**item) for item in items]
    account.client().grant_permissions(user.uid, models.GrantPermissionsRequest(body=body))


def test_without_grants_the_owner_may_everything_and_others_nothing(
    account: Account, user: RamUser
) -> None:
    cluster_id = account.new_cluster()
    assert allowed(account.client(), cluster_id) == ALL
    assert allowed(user.door.client(), cluster_id) == NOTHING
    [named] = user_kubeconfig(user.door.client(), cluster_id)["users"]
    assert named["name"] == user.uid


@pytest.mark.parametrize(
    ("item", "may"),
    [
        ({"role_type": "cluster", "role_name": "admin"}, ALL),
        (
            {"role_type": "cluster", "role_name": "admin-view"},
            {"read a Secret", "read elsewhere", "see namespaces"},
        ),
        (
            {"role_type": "cluster", "role_name": "ops"},
            {"write a Secret", "read a Secret", "read elsewhere", "see namespaces"},
        ),
        (
            {"role_type": "cluster", "role_name": "dev"},
            {"write a Secret", "read a Secret", "read elsewhere"},
        ),
        (
            {"role_type": "namespace", "namespace": "default", "role_name": "dev"},
            {"write a Secret", "read a Secret"},
        ),
        (
            {"role_type": "namespace", "namespace": "default", "role_name": "restricted"},
            {"read a Secret"},
        ),
        ({"role_type": "cluster", "role_name": "view", "is_custom": True}, {"see namespaces"}),
    ],
)
def test_a_user_may_what_was_granted_until_it_is_cleaned(
    account: Account, user: RamUser, item: dict[str, Any], may: frozenset[str]
) -> None:
    cluster_id, other_id = account.new_cluster(), account.new_cluster()
    grant(account, user, {"cluster": cluster_id, **item})
    assert allowed(user.door.client(), cluster_id) == may
    assert allowed(user.door.client(), other_id) == NOTHING
    request = models.CleanClusterUserPermissionsRequest()
    account.client().clean_cluster_user_permissions(cluster_id, user.uid, request)
    assert allowed(user.door.client(), cluster_id) == NOTHING


def test_a_grant_replaces_those_before(account: Account, user: RamUser) -> None:
    cluster_id = account.new_cluster()
    grant(account, user, {"cluster": cluster_id, "role_type": "cluster", "role_name": "admin"})
    restricted = {"role_type": "namespace", "namespace": "default", "role_name": "restricted"}
    grant(account, user, {"cluster": cluster_id, **restricted})
    assert allowed(user.door.client(), cluster_id) == {"read a Secret"}


def test_a_grant_on_all_clusters_reaches_those_to_come(account: Account, user: RamUser) -> None:
    before = account.new_cluster()
    grant(account, user, {"cluster": "", "role_type": "all-clusters", "role_name": "restricted"})
    after = account.new_cluster()
    for cluster_id in (before, after):
        assert allowed(user.door.client(), cluster_id) == {"read a Secret", "read elsewhere"}


def test_the_creator_of_a_cluster_is_its_administrator(account: Account, user: RamUser) -> None:
    cluster_id = user.door.new_cluster()
    assert allowed(user.door.client(), cluster_id) == ALL
    grant(account, user)  # in vain, as the documentation says
    assert allowed(user.door.client(), cluster_id) == ALL


def test_the_bindings_are_named_as_in_the_cloud(account: Account, user: RamUser) -> None:
    cluster_id = account.new_cluster()
    dev = {"role_type": "namespace", "namespace": "default", "role_name": "dev"}
    grant(
        account,
        user,
        {"cluster": cluster_id, "role_type": "cluster", "role_name": "admin"},
        {"cluster": cluster_id, **dev},
    )
    with core_v1(account.client(), cluster_id) as api:
        roles = kubernetes.RbacAuthorizationV1Api(api.api_client)
        binding = roles.read_cluster_role_binding(f"{user.uid}-cluster-admin-clusterrolebinding")
        [inside] = roles.list_namespaced_role_binding("default").items
    assert (binding.role_ref.name, binding.subjects[0].name) == ("cs:admin", user.uid)
    assert (inside.role_ref.name, inside.subjects[0].name) == ("cs:ns:dev", user.uid)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"role_type": "cluster", "role_name": "emperor"}, "InvalidParameter"),
        ({"role_type": "cluster", "role_name": "dev", "cluster": ""}, "InvalidParameter"),
        ({"role_type": "namespace", "role_name": "dev"}, "InvalidParameter"),
        ({"role_type": "namespace", "role_name": "dev", "namespace": "gone"}, "InvalidParameter"),
        (
            {"role_type": "namespace", "role_name": "admin", "namespace": "default"},
            "InvalidParameter",
        ),
        (
            {"role_type": "all-clusters", "role_name": "admin-view", "cluster": ""},
            "InvalidParameter",
        ),
        ({"role_type": "galaxy", "role_name": "dev"}, "InvalidParameter"),
        (
            {"role_type": "cluster", "role_name": "dev", "cluster": "c" + "0" * 32},
            "ErrorClusterNotFound",
        ),
    ],
)
def test_a_grant_that_cannot_be_is_refused_as_a_whole(
    account: Account, user: RamUser, refused: Refused, item: dict[str, Any], code: str
) -> None:
    cluster_id = account.new_cluster()
    good = {"cluster": cluster_id, "role_type": "cluster", "role_name": "dev"}
    error = refused(grant, account, user, good, {"cluster": cluster_id, **item})
    assert error.code == code
    assert account.client().describe_user_permission(user.uid).body == []
    assert allowed(user.door.client(), cluster_id) == NOTHING


def test_only_an_administrator_of_the_cluster_may_grant(
    account: Account, user: RamUser, refused: Refused
) -> None:
    cluster_id = account.new_cluster()
    friend = new_user(account, "friend")
    item = {"cluster": cluster_id, "role_type": "cluster", "role_name": "dev"}
    wide = {"cluster": "", "role_type": "all-clusters", "role_name": "dev"}
    error = refused(grant, user.door, friend, item)
    assert (error.status_code, error.code) == (403, "ForbiddenGrantPermissions")
    grant(account, user, {**item, "role_name": "admin"})
    grant(user.door, friend, item)
    assert refused(grant, user.door, friend, wide).code == "ForbiddenGrantPermissions"


def test_a_role_session_is_known_by_its_role(account: Account, user: RamUser) -> None:
    trust = {
        "Version": "1",
        "Statement": [
            {
                "Action": "sts:AssumeRole",
                "Effect": "Allow",
                "Principal": {"RAM": [f"acs:ram::{account.id}:root"]},
            }
        ],
    }
    role = account.ram("CreateRole", RoleName="team", AssumeRolePolicyDocument=json.dumps(trust))
    uid = role["Role"]["RoleId"]
    user.attach("AliyunSTSAssumeRoleAccess")
    signer = Signer(user.door.access_key_id, user.door.access_key_secret)
    answer = ApiClient(account.world.facts.endpoint, signer, version="2015-04-01").call(
        "AssumeRole", RoleArn=role["Role"]["Arn"], RoleSessionName="monday"
    )
    keys = answer["Credentials"]
    session = account.client(
        access_key_id=keys["AccessKeyId"],
        access_key_secret=keys["AccessKeySecret"],
        security_token=keys["SecurityToken"],
    )
    cluster_id = account.new_cluster()
    with pytest.raises(Exception, match="STSToken policy Forbidden for action cs:Describe"):
        session.describe_cluster_detail(cluster_id)
    attached = {"PolicyName": "AliyunCSReadOnlyAccess", "PolicyType": "System"}
    account.ram("AttachPolicyToRole", RoleName="team", **attached)
    assert allowed(session, cluster_id) == NOTHING
    item = models.GrantPermissionsRequestBody(
        cluster=cluster_id, role_type="cluster", role_name="restricted", is_ram_role=True
    )
    account.client().grant_permissions(uid, models.GrantPermissionsRequest(body=[item]))
    assert allowed(session, cluster_id) == {"read a Secret", "read elsewhere"}
    [named] = user_kubeconfig(session, cluster_id)["users"]
    assert named["name"] == uid
