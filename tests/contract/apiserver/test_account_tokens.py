"""ServiceAccount tokens: issued, believed, and no longer believed."""

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from kubernetes import client as kubernetes_client

from apiserver_shim.access.tokens import BadTokenError
from apiserver_shim.clusters import Clusters, ClusterSpec, StaticClusters, Surroundings
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.storage import codec
from apiserver_shim.storage.etcd import EtcdClient
from tests.contract.apiserver.conftest import ADMIN, ClusterDoor, Shim

CORE = "/api/v1/namespaces/default"
ACCOUNTS = f"{CORE}/serviceaccounts"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def account(api: httpx.Client, name: str = "robot") -> Any:
    answer = api.post(ACCOUNTS, json={"metadata": {"name": name}})
    assert answer.status_code == 201, answer.text
    return answer.json()


def request(api: httpx.Client, spec: dict[str, Any], name: str = "robot") -> httpx.Response:
    return api.post(f"{ACCOUNTS}/{name}/token", json={"spec": spec})


def token(api: httpx.Client, **spec: Any) -> str:
    answer = request(api, spec)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["status"]["token"]
    return found


def claims(text: str, part: int = 1) -> dict[str, Any]:
    encoded = text.split(".")[part]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(encoded + "=="))
    return found


def who(door: ClusterDoor, text: str) -> httpx.Response:
    with door.client(text) as client:
        return client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={})


def test_a_token(cluster: ClusterDoor, api: httpx.Client) -> None:
    uid = account(api)["metadata"]["uid"]
    answer = request(api, {"expirationSeconds": 600}).json()
    assert answer["kind"] == "TokenRequest"
    text = answer["status"]["token"]
    issuer = f"https://kubernetes.default.svc/clusters/{cluster.id}"
    found = claims(text)
    assert found["aud"] == answer["spec"]["audiences"] == [issuer]
    assert found["exp"] - found["iat"] == 600
    assert found["iss"] == issuer
    assert found["sub"] == "system:serviceaccount:default:robot"
    assert found["kubernetes.io"]["serviceaccount"] == {"name": "robot", "uid": uid}
    told = who(cluster, text)
    assert told.status_code == 201, told.text
    assert told.json()["status"]["userInfo"] == {
        "username": "system:serviceaccount:default:robot",
        "uid": uid,
        "groups": [
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated",
        ],
        "extra": {"authentication.kubernetes.io/credential-id": [f"JTI={found['jti']}"]},
    }
    assert api.delete(f"{ACCOUNTS}/robot").status_code == 200
    assert who(cluster, text).status_code == 401
    account(api)
    assert who(cluster, text).status_code == 401, "another account of the same name"


def test_asked_in_protobuf(cluster: ClusterDoor, api: httpx.Client) -> None:
    account(api)
    body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {}}
    answer = api.post(
        f"{ACCOUNTS}/robot/token",
        content=codec.encode_body(body),
        headers={"content-type": "application/vnd.kubernetes.protobuf"},
    )
    assert answer.status_code == 201, answer.text
    assert who(cluster, answer.json()["status"]["token"]).status_code == 201


def test_other_clusters_and_forgeries(shim: Shim, cluster: ClusterDoor, api: httpx.Client) -> None:
    account(api)
    text = token(api)
    other = shim.new_cluster()
    assert who(other, text).status_code == 401
    head, body, signature = text.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    forged = claims(text)
    forged["kubernetes.io"]["serviceaccount"]["name"] = "default"
    changed = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    flipped = signature[:-2] + ("AA" if signature[-2:] != "AA" else "BB")
    for bad in (
        f"{head}.{changed}.{signature}",
        f"{none}.{body}.",
        f"{none}.{body}.{signature}",
        f"{head}.{body}.{flipped}",
        f"{head}.{body}.",
        f"{head}.{body}.%%",
        "a.b.c",
        "..",
    ):
        assert who(cluster, bad).status_code == 401, bad


def test_audiences(cluster: ClusterDoor, api: httpx.Client) -> None:
    account(api)
    vault = token(api, audiences=["vault"])
    assert who(cluster, vault).status_code == 401
    asked = {"spec": {"token": vault, "audiences": ["vault", "other"]}}
    review = api.post(REVIEWS, json=asked).json()["status"]
    assert review["authenticated"] is True
    assert review["audiences"] == ["vault"]
    refused = api.post(REVIEWS, json={"spec": {"token": vault}}).json()["status"]
    assert "token audiences [vault] is invalid for the target audiences" in refused["error"]
    assert "authenticated" not in refused
    own = api.post(REVIEWS, json={"spec": {"token": ADMIN.token}}).json()["status"]
    assert own["user"]["username"] == "admin"
    assert api.post(REVIEWS, json={"spec": {}}).status_code == 400


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({"expirationSeconds": 599}, 422, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 1 << 33}, 422, "may not specify a duration larger than 2^32"),
        ({"expirationSeconds": 0}, 422, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": -1}, 422, "may not specify a duration less than 10 minutes"),
        (
            {"expirationSeconds": 1.5},
            400,
            (
                'TokenRequest in version "v1" cannot be handled as a TokenRequest: json: cannot '
                "unmarshal number 1.5 into Go struct field "
                "TokenRequestSpec.spec.expirationSeconds of type int64"
            ),
        ),
        ({"expirationSeconds": "600"}, 400, "of type int64"),
        ({"expirationSeconds": True}, 400, "cannot unmarshal bool"),
        ({"expirationSeconds": 1 << 63}, 400, "of type int64"),
        ({"audiences": "x"}, 400, "cannot unmarshal string into Go struct field"),
        ({"audiences": [1]}, 400, "cannot unmarshal number into Go struct field"),
        ({"boundObjectRef": "x"}, 400, "of type v1.BoundObjectReference"),
        ({"boundObjectRef": {}}, 400, "cannot bind token to object of type /, Kind="),
        ({"boundObjectRef": {"name": "s"}}, 400, "cannot bind token to object of type /, Kind="),
        (
            {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "s"}},
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            {"boundObjectRef": {"kind": "Secret", "apiVersion": "apps/v1", "name": "s"}},
            400,
            "cannot bind token to object of type apps/v1, Kind=Secret",
        ),
        (
            {"boundObjectRef": {"kind": "secret", "apiVersion": "v1", "name": "s"}},
            400,
            "cannot bind token to object of type /v1, Kind=secret",
        ),
        ({"boundObjectRef": {"kind": "Secret"}}, 400, "Name parameter required."),
        ({"boundObjectRef": {"kind": "Secret", "uid": "x"}}, 400, "Name parameter required."),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1"}}, 400, "Name parameter required."),
        (
            {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "../x"}},
            400,
            "Name parameter invalid: \"../x\": may not contain '/'",
        ),
        (
            {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": ".."}},
            400,
            "Name parameter invalid: \"..\": may not be '..'",
        ),
        (
            {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "t"}},
            404,
            'secrets "t" not found',
        ),
        (
            {"boundObjectRef": {"kind": "Node", "apiVersion": "v1", "name": "n", "uid": "u"}},
            404,
            'nodes "n" not found',
        ),
        ({"boundObjectRef": {"kind": "Secret", "uid": 7}}, 400, "cannot unmarshal number"),
        (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}},
            404,
            'pods "p" not found',
        ),
        (
            {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "x"}},
            409,
            "the UID in the bound object reference (x) does not match the UID in record",
        ),
    ],
)
def test_refusals(api: httpx.Client, spec: dict[str, Any], code: int, message: str) -> None:
    account(api)
    api.post(f"{CORE}/secrets", json={"metadata": {"name": "s"}})
    answer = request(api, spec)
    assert answer.status_code == code, answer.text
    assert message in answer.json()["message"]
    # whatever else is wrong, the account comes first; what cannot be read, before it
    assert request(api, spec, "nobody").status_code == (400 if "unmarshal" in answer.text else 404)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ([], 400, "must be of type TokenRequest"),
        ({"kind": "Secret"}, 400, "must be of type TokenRequest"),
        (
            {"apiVersion": "v1"},
            400,
            (
                "the API version in the data (v1) does not match the expected API version "
                "(authentication.k8s.io/v1)"
            ),
        ),
        (
            {"metadata": {"name": "other"}},
            422,
            (
                'metadata.name: Invalid value: "other": must match the service account name if '
                "specified"
            ),
        ),
        (
            {"metadata": {"namespace": "other"}},
            422,
            (
                'metadata.namespace: Invalid value: "other": must match the service account '
                "namespace if specified"
            ),
        ),
        ({"spec": {"audience": []}}, 400, 'strict decoding error: unknown field "spec.audience"'),
        ({"status": {"expirationTimestamp": "now"}}, 400, 'parsing time "now" as "2006-01-02T'),
    ],
)
def test_refused_bodies(api: httpx.Client, body: Any, code: int, message: str) -> None:
    account(api)
    answer = api.post(f"{ACCOUNTS}/robot/token?fieldValidation=Strict", json=body)
    assert answer.status_code == code, answer.text
    assert message in answer.json()["message"]


@pytest.mark.parametrize("version", ["v1", "v2", "", "a/b/c"])
def test_any_version_of_the_core_group_will_do(api: httpx.Client, version: str) -> None:
    account(api)
    api.post(f"{CORE}/secrets", json={"metadata": {"name": "s"}})
    reference = {"kind": "Secret", "apiVersion": version, "name": "s"}
    assert claims(token(api, boundObjectRef=reference))["kubernetes.io"]["secret"]["name"] == "s"


def test_an_audience_is_never_left_out(api: httpx.Client) -> None:
    account(api)
    assert claims(token(api, audiences=[""]))["aud"] == [""]


def test_a_token_has_one_spelling(cluster: ClusterDoor, api: httpx.Client) -> None:
    account(api)
    text = token(api)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    parts = text.split(".")
    spellings = [f"{text}=", f"{text}==", f"{text}\n", f" {text}", text.replace("-", "+", 1)]
    for place, part in enumerate(parts):
        # the last letter may hold bits of no byte
        at = alphabet.index(part[-1])
        for other in range(at - at % 4, at - at % 4 + 4):
            changed = part[:-1] + alphabet[other]
            spellings.append(".".join((*parts[:place], changed, *parts[place + 1 :])))
        spellings.append(".".join((*parts[:place], f"{part}=", *parts[place + 1 :])))
    reviews = {
        spelling: api.post(REVIEWS, json={"spec": {"token": spelling}}).json()["status"]
        for spelling in spellings
    }
    assert {s for s, status in reviews.items() if status.get("authenticated")} == {text}
    for spelling, code in ((text, 403), (f"{text}==", 401)):
        with cluster.client(spelling) as client:
            assert client.get(f"{CORE}/secrets").status_code == code


def test_bound_to_a_secret(cluster: ClusterDoor, api: httpx.Client) -> None:
    account(api)
    api.post(f"{CORE}/secrets", json={"metadata": {"name": "s"}})
    text = token(api, boundObjectRef={"kind": "Secret", "apiVersion": "v1", "name": "s"})
    assert who(cluster, text).status_code == 201
    api.delete(f"{CORE}/secrets/s")
    assert who(cluster, text).status_code == 401


async def test_tokens_live_by_the_clock_they_are_given(etcd_url: str) -> None:
    """The simulated clock ends them, on the second, and refuses those of tomorrow."""
    moment = [datetime(2030, 1, 1, tzinfo=UTC)]
    etcd = EtcdClient([etcd_url])
    source = StaticClusters([ClusterSpec("default", f"/test/{os.urandom(4).hex()}")])
    clusters = Clusters(source, Surroundings(etcd, lambda: moment[0], os.urandom, None))
    try:
        cluster = clusters.get("default")
        assert cluster is not None
        await cluster.ready()
        body = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "r"}}
        body["metadata"]["namespace"] = "default"  # type: ignore[index]
        made = await cluster.registry.create(KINDS["serviceaccounts"], "default", body)
        text, expires = await cluster.accounts.issue(made, audiences=(), seconds=600, bound=None)
        assert expires == moment[0].timestamp() + 600
        for seconds, believed in ((0, True), (599, True), (600, False), (-1, False)):
            moment[0] = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
            try:
                found = await cluster.accounts.verify(text)
            except BadTokenError:
                assert not believed, seconds
            else:
                assert believed, seconds
                assert found.user.name == "system:serviceaccount:default:r"
    finally:
        await clusters.close()
        await etcd.close()


def test_discovery_and_a_key_of_ones_own(shim: Shim, tmp_path: Path) -> None:
    for made, algorithm in (
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (rsa.generate_private_key(65537, 2048), "RS256"),
    ):
        path = tmp_path / algorithm
        path.write_bytes(
            made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        door = shim.new_cluster(service_account_key=path)
        with door.client() as api:
            account(api)
            text = token(api)
            assert who(door, text).status_code == 201
            assert claims(text, 0)["alg"] == algorithm
            with door.client(text) as robot:
                found = robot.get("/.well-known/openid-configuration").json()
                assert found["issuer"] == claims(text)["iss"]
                assert found["jwks_uri"] == f"{door.url}/openid/v1/jwks"
                answer = robot.get("/openid/v1/jwks")
                assert answer.headers["content-type"] == "application/jwk-set+json"
                assert answer.json()["keys"][0]["kid"] == claims(text, 0)["kid"]
        with door.client("nobody-token") as nobody:
            assert nobody.get("/openid/v1/jwks").status_code == 403


def test_the_python_client_as_an_account(cluster: ClusterDoor, api: httpx.Client) -> None:
    account(api)
    api.post(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
        json={
            "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "ServiceAccount", "name": "robot"}],
        },
    )
    configuration = kubernetes_client.Configuration(
        host=cluster.url, api_key={"authorization": f"Bearer {token(api)}"}
    )
    configuration.ssl_ca_cert = str(cluster.shim.authority.path)
    with kubernetes_client.ApiClient(configuration) as connection:
        core = kubernetes_client.CoreV1Api(connection)
        body = kubernetes_client.V1Secret(metadata={"name": "s"}, string_data={"a": "b"})
        core.create_namespaced_secret("default", body)
        assert core.read_namespaced_secret("s", "default").data == {"a": "Yg=="}
        with pytest.raises(kubernetes_client.ApiException) as refused:
            core.list_namespaced_secret("kube-system")
    assert refused.value.status == 403
    assert json.loads(refused.value.body)["message"] == (
        'secrets is forbidden: User "system:serviceaccount:default:robot" cannot list resource '
        '"secrets" in API group "" in the namespace "kube-system"'
    )
