"""The control API: its page runs, its refusals are clear, and strangers' names do not reach it."""

import html
import http.client
import json
import re
import shlex
import socket
import time
from urllib.parse import urlsplit

import pytest

from acksim.clients.etcd import read_prefix
from acksim.clients.world import World, WorldError
from acksim.control.guard import OPEN_PATHS
from acksim.testing import ClusterUnderTest
from tests.patience import PATIENCE


def send(
    world: World, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, str]:
    """With the token, unless `headers` say otherwise."""
    connection = http.client.HTTPConnection(urlsplit(world.facts.control).netloc, timeout=PATIENCE)
    try:
        sent = {"authorization": f"Bearer {world.token}", **headers}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_every_example_on_its_page_runs(acksim: World) -> None:
    status, text = send(acksim, "GET", "/docs")
    assert status == 200
    assert "http://" not in text.replace(acksim.facts.control, "")
    examples = [shlex.split(html.unescape(line)) for line in re.findall(r"<pre>(.*?)</pre>", text)]
    assert len(examples) >= 12
    failed: dict[str, tuple[int, str]] = {}
    for words in examples:
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        body = words[words.index("-d") + 1] if "-d" in words else None
        path = words[-1].removeprefix(acksim.facts.control)
        if method == "DELETE":
            continue
        answer = send(acksim, method, path, body, **{"content-type": "application/json"})
        if answer[0] >= 300:
            failed[" ".join(words)] = answer
    acksim.move_clock(reset=True)
    assert failed == {}


def doors(world: World) -> list[tuple[str, str]]:
    """Every operation that the API describes, and paths that it does not have."""
    description = json.loads(send(world, "GET", "/openapi.json")[1])
    known = [
        (method.upper(), path.replace("{cluster_id}", "default"))
        for path, methods in description["paths"].items()
        for method in methods
        if path not in OPEN_PATHS
    ]
    assert len(known) >= 20
    return [*known, ("GET", "/"), ("GET", "/_sim"), ("POST", "/nowhere"), ("GET", "/docs/")]


def test_without_the_token_every_door_is_shut(acksim: World) -> None:
    token = acksim.token
    wrong = [
        "",
        token,
        "Bearer",
        "Bearer ",
        f"Bearer {token[:-1]}",
        f"Bearer {token}x",
        f"Bearer {token} {token}",
        f"Bearer {token.swapcase()}",
        f"Basic {token}",
        f"Bearer {'x' * 60_000}",
    ]
    tried = 0
    for method, path in doors(acksim):
        for authorization in wrong:
            status, text = send(acksim, method, path, authorization=authorization)
            assert status == 401, (method, path, authorization)
            assert "`acksim env`" in json.loads(text)["message"]
            assert token not in text
            tried += 1
        assert send(acksim, method, f"{path}?token={token}", authorization="")[0] == 401
    assert tried >= 200
    assert acksim.cluster("default")["state"] == "running"


def test_two_tokens_are_none(acksim: World) -> None:
    url = urlsplit(acksim.facts.control)
    for first, second in ((acksim.token, "other"), ("other", acksim.token), (acksim.token,) * 2):
        with socket.create_connection(
            (url.hostname or "", url.port or 0), timeout=PATIENCE
        ) as door:
            door.sendall(
                f"GET /_sim/clock HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
                f"Authorization: Bearer {first}\r\nauthorization: Bearer {second}\r\n\r\n".encode()
            )
            assert door.recv(64).startswith(b"HTTP/1.1 401 ")


def test_what_is_open_tells_nothing_of_this_world(acksim: World) -> None:
    secrets = (acksim.token, acksim.facts.data_dir, acksim.clusters()[0]["key_id"])
    for path in OPEN_PATHS:
        status, text = send(acksim, "GET", path, authorization="")
        assert status == 200
        assert [secret for secret in secrets if secret in text] == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_a_page_elsewhere_cannot_reach_it_by_a_name_of_its_own(acksim: World, host: str) -> None:
    assert send(acksim, "GET", "/_sim/clusters/default/kubeconfig", host=host)[0] == 400


@pytest.mark.parametrize(
    "page",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}],
    ids=str,
)
def test_a_page_elsewhere_can_neither_ask_nor_change(acksim: World, page: dict[str, str]) -> None:
    for method, path in (("POST", "/_sim/clusters/default/restart"), ("GET", "/docs")):
        status, text = send(acksim, method, path, **page)
        assert status == 403
        assert json.loads(text)["code"] == "Forbidden.WebPage"
    own = urlsplit(acksim.facts.control)
    assert send(acksim, "GET", "/docs", origin=f"{own.scheme}://{own.netloc}")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("POST", "/_sim/clock", '{"advance": "soon"}', 400, "not a duration"),
        ("POST", "/_sim/clock", '{"advance": "999999999d"}', 400, "further than"),
        ("POST", "/_sim/clock", "{", 422, "JSON"),
        ("POST", "/_sim/clusters", '{"name": "a b"}', 422, "pattern"),
        ("POST", "/_sim/clusters", '{"name": "a", "key": "k"}', 422, "key"),
        ("POST", "/_sim/clusters", '{"name": "a", "key_id": "no"}', 400, "KeyNotFound"),
        ("GET", "/_sim/clusters/nope", None, 404, "ErrorClusterNotFound"),
        ("DELETE", "/_sim/clusters/..%2f..%2fetc", None, 404, ""),
        ("GET", "/nowhere", None, 404, ""),
    ],
)
def test_refusals(
    acksim: World, method: str, path: str, body: str | None, status: int, word: str
) -> None:
    answer = send(acksim, method, path, body, **{"content-type": "application/json"})
    assert answer[0] == status, answer
    assert word in answer[1]


def test_a_refusal_reads_well_in_a_command(acksim: World) -> None:
    with pytest.raises(WorldError, match="key: Extra inputs are not permitted"):
        acksim.create_cluster("a", key="k")
    with pytest.raises(WorldError, match="ErrorClusterNotFound: cluster 'c1' does not exist"):
        acksim.cluster("c1")


def test_a_deleted_cluster_leaves_nothing_in_etcd(acksim: World) -> None:
    cluster = ClusterUnderTest.create(acksim)
    cluster.create_secret("app1", password="hunter2")
    prefix = cluster.facts["etcd_prefix"]
    assert read_prefix(acksim.facts.etcd, f"{prefix}/secrets/")
    cluster.delete()
    assert read_prefix(acksim.facts.etcd, f"{prefix}/secrets/") == []
    deadline = time.monotonic() + PATIENCE
    while read_prefix(acksim.facts.etcd, prefix):  # what the API server wrote before it noticed
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with pytest.raises(WorldError, match="ErrorClusterNotFound"):
        acksim.cluster(cluster.id)
