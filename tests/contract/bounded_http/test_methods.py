"""Every path of the three applications, asked by every method: answered at once, in their words."""

import base64
import re
import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson
import pytest
import yaml

from acksim.clients.world import World
from apiserver_shim.objects.kinds import KINDS
from tests.patience import PATIENCE

METHODS = ("HEAD", "OPTIONS", "TRACE", "PURGE", "PROPFIND", "get", "BREW")
ALIBABA_CLOUD = ("/", "/nothing", "/clusters", "/api/v1/clusters", "/k8s/default/user_config")
PAGES = ("/healthz", "/metrics", "/docs", "/openapi.json", "/latest/meta-data")
KUBERNETES_PAGES = ("/metrics", "/version", "/openapi/v2", "/openapi/v3", "/healthz/ping")


class Answer(NamedTuple):
    code: int
    media_type: str
    body: bytes


class Api:
    """One application and how to ask it."""

    def __init__(
        self, url: str, headers: Mapping[str, str], context: ssl.SSLContext | None
    ) -> None:
        self._url = urlsplit(url)
        self._headers = headers
        self._context = context

    def ask(self, method: str, path: str) -> Answer:
        host, port = self._url.hostname or "", self._url.port
        if self._context is None:
            connection = HTTPConnection(host, port, timeout=PATIENCE)
        else:
            connection = HTTPSConnection(host, port, timeout=PATIENCE, context=self._context)
        try:
            connection.request(method, self._url.path.rstrip("/") + path, headers=self._headers)
            answer = connection.getresponse()
            media_type = answer.getheader("content-type", "").partition(";")[0]
            return Answer(answer.status, media_type, answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def kubernetes(acksim: World, tmp_path_factory: pytest.TempPathFactory) -> Api:
    config = yaml.safe_load(acksim.kubeconfig("default"))
    user, pair = config["users"][0]["user"], tmp_path_factory.mktemp("user") / "pair.pem"
    parts = (user["client-certificate-data"], user["client-key-data"])
    Path(pair).write_bytes(b"".join(map(base64.b64decode, parts)))
    context = ssl.create_default_context(cafile=acksim.facts.ca)
    context.load_cert_chain(pair)
    return Api(config["clusters"][0]["cluster"]["server"], {}, context)


@pytest.fixture(scope="module")
def alibaba_cloud(acksim: World) -> Api:
    return Api(acksim.facts.endpoint, {}, None)


@pytest.fixture(scope="module")
def control(acksim: World) -> Api:
    return Api(acksim.facts.control, {"Authorization": f"Bearer {acksim.token}"}, None)


def check_head(api: Api, path: str) -> None:
    got, head = api.ask("GET", path), api.ask("HEAD", path)
    assert head == (got.code, got.media_type, b""), path


def check_refused(api: Api, method: str, path: str, *names: str) -> None:
    """``names``: the fields that name an error; a page that is not there has plain text."""
    answer = api.ask(method, path)
    assert 400 <= answer.code < 500, (method, path, answer)
    if method != "HEAD" and answer.media_type != "text/plain":
        found = orjson.loads(answer.body)
        assert all(found[name] for name in names), (method, path, found)


def test_kubernetes(kubernetes: Api) -> None:
    listed = orjson.loads(kubernetes.ask("GET", "/").body)["paths"]
    pages = {"/", *listed, *KUBERNETES_PAGES}
    assert len(pages) > 15
    for path in pages:
        check_head(kubernetes, path)
        for method in METHODS[1:]:
            check_refused(kubernetes, method, path, "kind", "message", "code")
    for kind in KINDS.values():
        group = f"/apis/{kind.group}/v1" if kind.group else "/api/v1"
        place = "/namespaces/default" if kind.namespaced else ""
        for path in (f"{group}/{kind.resource}", f"{group}{place}/{kind.resource}/x"):
            for method in METHODS:
                assert kubernetes.ask(method, path).code == 405, (method, path)
                check_refused(kubernetes, method, path, "kind", "message", "code")


def test_alibaba_cloud(alibaba_cloud: Api) -> None:
    for path in PAGES:
        check_head(alibaba_cloud, path)
    for path in (*PAGES, *ALIBABA_CLOUD):
        for method in METHODS[1:]:
            check_refused(alibaba_cloud, method, path, "Code", "Message", "RequestId")
    for path in ALIBABA_CLOUD:
        check_refused(alibaba_cloud, "HEAD", path)


def test_control(control: Api) -> None:
    paths = orjson.loads(control.ask("GET", "/openapi.json").body)["paths"]
    assert len(paths) > 15
    for template, methods in {**paths, "/docs": {"get": {}}}.items():
        path = re.sub(r"\{[^}]*\}", "default", template)
        if "get" in methods:
            check_head(control, path)
        else:
            check_refused(control, "HEAD", path)
        for method in METHODS[1:]:
            check_refused(control, method, path, "code", "message")
