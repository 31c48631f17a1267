"""Bodies that would take a server's time: they are bounded, and others are served meanwhile."""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.patience import PATIENCE
from tests.processor_time import used_by

ROOT = Path(__file__).parents[3]
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
APPLY = f"{CONFIGMAPS}/x?fieldManager=m"
YAML = "application/yaml"
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
MEBIBYTES = 3_000_000


class Server(NamedTuple):
    port: int
    pid: int


@pytest.fixture(scope="module")
def server(etcd_url: str) -> Iterator[Server]:
    """A server in a process of its own: in this one its clients would keep it waiting, too."""
    command = [sys.executable, "-m", "apiserver_shim", f"--etcd={etcd_url}", "--auth=off"]
    command += [f"--etcd-prefix=/hostile/{time.monotonic_ns()}", "--listen=127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        found = int(process.stdout.readline().rpartition(":")[2])
        try:
            _ask(found, "POST", CONFIGMAPS, b'{"metadata":{"name":"x"}}', JSON)
            yield Server(found, process.pid)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _ask(port: int, method: str, path: str, body: bytes = b"", content_type: str = "") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"content-type": content_type})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _list(item: bytes, times: int) -> bytes:
    return b"[" + b",".join([item] * times) + b"]"


def _numbered(item: bytes, times: int) -> bytes:
    return b",".join(item % number for number in range(times))


def _bomb() -> bytes:
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    for level in range(1, 15):
        nine = b",".join([b"*a%d" % (level - 1)] * 9)
        lines.append(b"a%d: &a%d [%b]" % (level, level, nine))
    return b"\n".join(lines)


BODIES = (
    [
        pytest.param("POST", CONFIGMAPS, YAML, body, id=name)
        for name, body in {
            "a flow list": b"a: " + _list(b"1", 450_000),
            "braces": b"{" * 3_000,
            "more braces": b"{" * MEBIBYTES,
            "dashes": b"- " * (MEBIBYTES // 2),
            "blocks": b"".join(b" " * depth + b"a:\n" for depth in range(2_000)),
            "aliases of aliases": _bomb(),
            "a long scalar": b'a: "' + b"x" * MEBIBYTES + b'"',
            "escapes": b'a: "' + b"\\n" * (MEBIBYTES // 2) + b'"',
            "a long comment": b"# " + b"x" * MEBIBYTES,
            "many comments": b"#\n" * (MEBIBYTES // 2),
            "a long tag": b"a: !" + b"t" * MEBIBYTES + b" x",
            "a long anchor": b"a: &" + b"t" * MEBIBYTES + b" x",
            "tag directives": b"\n".join(b"%%TAG !a%d! x" % i for i in range(180_000)) + b"\n--- a",
            "the same in UTF-16": "\n".join(f"%TAG !a{i}! x" for i in range(80_000)).encode(
                "utf-16"
            ),
            "merge keys": b"a: &a {"
            + _numbered(b"k%d: 1", 900)
            + b"}\nb:\n  <<: "
            + _list(b"*a", 3_000),
            "keys": b"\n".join(b"k%d: 1" % number for number in range(250_000)),
        }.items()
    ]
    + [
        pytest.param(method, path, content_type, body, id=name)
        for name, method, path, content_type, body in [
            (
                "applied list",
                "PATCH",
                APPLY,
                "application/apply-patch+yaml",
                b"a: " + _list(b"1", 900_000),
            ),
            (
                "unknown fields",
                "POST",
                CONFIGMAPS,
                JSON,
                b"{" + _numbered(b'"u%d":1', 200_000) + b"}",
            ),
            ("few unknown", "POST", CONFIGMAPS, JSON, b"{" + _numbered(b'"u%d":1', 40_000) + b"}"),
            ("one field", "POST", CONFIGMAPS, JSON, b"{" + b",".join([b'"u":1'] * 400_000) + b"}"),
            (
                "data",
                "POST",
                CONFIGMAPS,
                JSON,
                b'{"data":{' + _numbered(b'"u %d":""', 49_000) + b"}}",
            ),
            (
                "references",
                "POST",
                CONFIGMAPS,
                JSON,
                b'{"metadata":{"ownerReferences":' + _list(b"{}", 90_000) + b"}}",
            ),
            (
                "strategic",
                "PATCH",
                f"{CONFIGMAPS}/x",
                STRATEGIC,
                b'{"metadata":{"ownerReferences":[' + _numbered(b'{"uid":"%d"}', 30_000) + b"]}}",
            ),
            (
                "an order",
                "PATCH",
                f"{CONFIGMAPS}/x",
                STRATEGIC,
                b'{"metadata":{"finalizers":['
                + _numbered(b'"a/%d"', 40_000)
                + b'],"$setElementOrder/finalizers":['
                + _numbered(b'"a/%d"', 40_000)
                + b"]}}",
            ),
            (
                "moves",
                "PATCH",
                f"{CONFIGMAPS}/x",
                JSON_PATCH,
                b'[{"op":"add","path":"/a","value":'
                + _list(b"1", 60_000)
                + b"},"
                + b",".join([b'{"op":"move","from":"/a/0","path":"/a/0"}'] * 9_000)
                + b"]",
            ),
            (
                "rules",
                "POST",
                "/apis/rbac.authorization.k8s.io/v1/clusterroles",
                JSON,
                b'{"metadata":{"name":"r"},"rules":' + _list(b"{}", 90_000) + b"}",
            ),
        ]
    ]
    + [
        pytest.param("GET", f"{CONFIGMAPS}?{query}", "", b"", id=name)
        for name, query in {
            "labels": "labelSelector=" + ",".join(f"k{i}!=v" for i in range(20_000)),
            "label values": "labelSelector=" + quote(f"a in ({','.join(['v'] * 80_000)})", ","),
            "parentheses": "labelSelector=" + "(" * 200_000,
            "fields": "fieldSelector=" + ",".join(["metadata.name!=x"] * 14_000),
            "one label": "labelSelector=" + "a" * 200_000,
        }.items()
    ]
)


@pytest.mark.parametrize(("method", "path", "content_type", "body"), BODIES)
def test_others_are_served_meanwhile(
    server: Server, method: str, path: str, content_type: str, body: bytes
) -> None:
    """Measured by what the server works on while somebody else waits for it."""
    port, pid = server
    answered: list[int] = []
    hostile = threading.Thread(
        target=lambda: answered.append(_ask(port, method, path, body, content_type))
    )
    began = used_by(pid)
    hostile.start()
    waits = list[float]()
    while hostile.is_alive() or not waits:
        asked = used_by(pid)
        assert _ask(port, "GET", "/livez") == 200
        waits.append(used_by(pid) - asked)
    hostile.join()
    # these bodies took from 2 to 160 seconds, and others waited as long
    assert max(waits) < 2, waits
    assert used_by(pid) - began < 20
    assert answered[0] in {200, 201, 400, 422}
