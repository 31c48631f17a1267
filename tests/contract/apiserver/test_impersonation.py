"""Acting as somebody else: every part of it a permission, and nothing kept of one's own rights."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from apiserver_shim.clusters import StaticToken
from tests.contract.apiserver.conftest import ADMIN, ClusterDoor, Shim
from tests.contract.apiserver.test_audit import events
from tests.contract.apiserver.test_roles import API, binding, grant, post, rule

SECRETS = "/api/v1/namespaces/default/secrets"
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
AUTHENTICATION = "authentication.k8s.io"
DEV = StaticToken("dev-token", "dev", "", ("team",))

Headers = list[tuple[str, str]]


@pytest.fixture
def cluster(shim: Shim) -> ClusterDoor:
    return shim.new_cluster(tokens=(ADMIN, DEV))


@pytest.fixture
def dev(cluster: ClusterDoor) -> Iterator[httpx.Client]:
    with cluster.client(DEV.token) as client:
        yield client


def acting(client: httpx.Client, *headers: tuple[str, str]) -> dict[str, Any]:
    """Return who the server takes for the user."""
    body = {"apiVersion": f"{AUTHENTICATION}/v1", "kind": "SelfSubjectReview"}
    answer = client.post(REVIEWS, json=body, headers=[*client.headers.items(), *headers])
    assert answer.status_code == 201, answer.text
    user: dict[str, Any] = answer.json()["status"]["userInfo"]
    return user


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        (
            [("Impersonate-User", "alice")],
            {"username": "alice", "groups": ["system:authenticated"]},
        ),
        (
            [
                ("Impersonate-User", "alice"),
                ("Impersonate-Group", "devs"),
                ("Impersonate-Group", "ops"),
                ("Impersonate-Uid", "u-1"),
                ("Impersonate-Extra-Scopes", "read"),
                ("Impersonate-Extra-Scopes", "write"),
                ("Impersonate-Extra-example.com%2Fproject", "shop"),
                ("Impersonate-Extra-odd%zz", "kept"),
            ],
            {
                "username": "alice",
                "uid": "u-1",
                "groups": ["devs", "ops", "system:authenticated"],
                "extra": {
                    "scopes": ["read", "write"],
                    "example.com/project": ["shop"],
                    "odd%zz": ["kept"],
                },
            },
        ),
        (
            [("Impersonate-User", "system:serviceaccount:default:robot")],
            {
                "username": "system:serviceaccount:default:robot",
                "groups": [
                    "system:serviceaccounts",
                    "system:serviceaccounts:default",
                    "system:authenticated",
                ],
            },
        ),
        (
            [("Impersonate-User", "system:anonymous")],
            {"username": "system:anonymous", "groups": ["system:unauthenticated"]},
        ),
        (
            [("Impersonate-User", "x"), ("Impersonate-Group", "system:unauthenticated")],
            {"username": "x", "groups": ["system:unauthenticated"]},
        ),
        (
            [("Impersonate-User", "system:serviceaccount:Bad:robot")],
            {
                "username": "system:serviceaccount:Bad:robot",
                "groups": ["system:authenticated"],
            },
        ),
    ],
)
def test_whom_an_administrator_becomes(
    api: httpx.Client, headers: Headers, user: dict[str, Any]
) -> None:
    subjects = [{"kind": "Group", "name": "system:unauthenticated"}]
    everybody = binding("basics", "ClusterRole", "system:basic-user") | {"subjects": subjects}
    post(api, f"{API}/clusterrolebindings", everybody)
    assert acting(api, *headers) == user


def test_nothing_is_left_of_ones_own_rights(api: httpx.Client) -> None:
    answer = api.get(SECRETS, headers={"impersonate-user": "alice"})
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        'secrets is forbidden: User "alice" cannot list resource "secrets" '
        'in API group "" in the namespace "default"'
    )


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            [("impersonate-user", "alice")],
            (
                'users "alice" is forbidden: User "dev" cannot impersonate resource "users" '
                'in API group "" at the cluster scope'
            ),
        ),
        (
            [("impersonate-user", "system:serviceaccount:kube-system:robot")],
            (
                'serviceaccounts "robot" is forbidden: User "dev" cannot impersonate resource '
                '"serviceaccounts" in API group "" in the namespace "kube-system"'
            ),
        ),
        (
            [("impersonate-user", "bob"), ("impersonate-group", "system:masters")],
            (
                'groups "system:masters" is forbidden: User "dev" cannot impersonate resource '
                '"groups" in API group "" at the cluster scope'
            ),
        ),
        (
            [("impersonate-user", "bob"), ("impersonate-extra-scopes", "write")],
            (
                'userextras.authentication.k8s.io "write" is forbidden: User "dev" cannot '
                'impersonate resource "userextras/scopes" in API group "authentication.k8s.io" '
                "at the cluster scope"
            ),
        ),
        (
            [("impersonate-user", "bob"), ("impersonate-uid", "u-2")],
            (
                'uids.authentication.k8s.io "u-2" is forbidden: User "dev" cannot impersonate '
                'resource "uids" in API group "authentication.k8s.io" at the cluster scope'
            ),
        ),
    ],
)
def test_each_part_takes_its_permission(
    api: httpx.Client, dev: httpx.Client, headers: Headers, message: str
) -> None:
    grant(
        api,
        "impersonator",
        rule("impersonate", "users", "bob"),
        rule("impersonate", "groups", "devs"),
        rule("impersonate", "userextras/scopes", "read", group=AUTHENTICATION),
        rule("impersonate", "uids", "u-1", group=AUTHENTICATION),
    )
    answer = dev.get(SECRETS, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (403, message)
    permitted = [
        ("impersonate-user", "bob"),
        ("impersonate-group", "devs"),
        ("impersonate-extra-scopes", "read"),
        ("impersonate-uid", "u-1"),
    ]
    assert acting(dev, *permitted)["username"] == "bob"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (("impersonate-group", "devs"), "{Group  devs    }"),
        (("impersonate-uid", "u-1"), "{UID  u-1  authentication.k8s.io/v1  }"),
        (
            ("impersonate-extra-scopes", "read"),
            "{UserExtra  read  authentication.k8s.io/v1  scopes}",
        ),
    ],
)
def test_parts_without_a_user(api: httpx.Client, header: tuple[str, str], told: str) -> None:
    answer = api.get(SECRETS, headers=[header])
    assert answer.status_code == 400
    assert answer.json()["message"] == f"requested [{told}] without impersonating a user"


def test_the_audit_log_names_both(shim: Shim, api: httpx.Client, dev: httpx.Client) -> None:
    answer = api.get(SECRETS, headers={"impersonate-user": "alice"})
    (event,) = events(shim, answer.headers["audit-id"])
    assert event["user"]["username"] == "admin"
    assert event["impersonatedUser"] == {"username": "alice", "groups": ["system:authenticated"]}
    answer = dev.get(SECRETS, headers={"impersonate-user": "alice"})
    (event,) = events(shim, answer.headers["audit-id"])
    assert event["user"]["username"] == "dev"
    assert "impersonatedUser" not in event
