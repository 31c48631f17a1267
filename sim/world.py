"""A running world as its users see it: addresses, and the control API behind plain methods."""

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sim.layout import Layout

_PATIENT_SECONDS = 90.0


class WorldError(Exception):
    """The world refused or is not there; the text says what to do next."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Where everything listens."""

    pid: int
    endpoint: str
    tls_endpoint: str
    kubernetes: str
    control: str
    etcd: tuple[str, ...]
    data_dir: str
    ca: str
    ephemeral: bool = False


class World:
    """A client of one world. Synchronous: it serves commands and tests."""

    def __init__(self, facts: Facts, *, inside: bool = False) -> None:
        self.facts = facts
        # Inside the containers' network the API server has another address than outside.
        self._inside = inside

    @classmethod
    def attach(cls, data_dir: Path) -> "World":
        """The world that runs in `data_dir`; raises WorldError when there is none."""
        path = Layout.of(data_dir).facts
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            raise WorldError(
                f"no world runs in {data_dir}; start one with `acksim up` "
                "(or name its place with --data-dir)"
            ) from None
        facts = Facts(**{**content, "etcd": tuple(content["etcd"])})
        if not _alive(facts.pid):
            path.unlink(missing_ok=True)
            raise WorldError(f"the world in {data_dir} has ended; start it with `acksim up`")
        return cls(facts)

    @classmethod
    def connect(cls, control: str, folder: Path) -> "World":
        """The world whose control API is at `control`, seen from the containers' network.

        `folder` takes the certificate of its authority.
        """
        there = json.loads(_get(control.rstrip("/") + "/_sim/addresses"))
        host = urlsplit(control).hostname
        authority = folder / "ca.crt"
        authority.write_text(there["ca"])
        facts = Facts(
            pid=0,
            endpoint=f"http://{host}:{there['http_port']}",
            tls_endpoint=f"https://{host}:{there['https_port']}",
            kubernetes=there["kubernetes_private"],
            control=control.rstrip("/"),
            etcd=tuple(there["etcd"]),
            data_dir="",
            ca=str(authority),
        )
        return cls(facts, inside=True)

    def kubernetes_ready(self) -> bool:
        """Whether the API server answers at all."""
        context = ssl.create_default_context(cafile=self.facts.ca)
        try:
            url = self.facts.kubernetes + "/version"
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return True
        except (urllib.error.URLError, OSError):
            return False

    def new_account(
        self, name: str = "test", *, authorized: bool = True, **terms: str
    ) -> dict[str, Any]:
        """`{account_id, access_key_id, access_key_secret}` of a fresh account.

        Only if `authorized` does it have the role by which Container Service uses its keys.
        Terms: what it holds (`cash`), the price list (`model`) and `currency`.
        """
        body = {"name": name, "authorized": authorized, **terms}
        return self._json("POST", "/_sim/accounts", body)

    def clusters(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._call("GET", "/_sim/clusters")
        return answer

    def cluster(self, cluster_id: str) -> dict[str, Any]:
        return self._json("GET", f"/_sim/clusters/{quote(cluster_id, safe='')}")

    def create_cluster(self, name: str, **options: Any) -> dict[str, Any]:
        """Options: account_id, region, key_id, kms (`v1` or `v2`)."""
        return self._json("POST", "/_sim/clusters", {"name": name, **options})

    def delete_cluster(self, cluster_id: str) -> None:
        self._call("DELETE", f"/_sim/clusters/{quote(cluster_id, safe='')}")

    def restart_cluster(self, cluster_id: str) -> None:
        """The cluster's API server starts afresh: every cached DEK is gone."""
        self._call("POST", f"/_sim/clusters/{quote(cluster_id, safe='')}/restart")

    def encryption(self, cluster_id: str) -> dict[str, Any]:
        """What new Secrets of a cluster are sealed with, and which providers may be read from."""
        return self._json("GET", f"/_sim/clusters/{quote(cluster_id, safe='')}/encryption")

    def drop_unneeded_providers(self, cluster_id: str) -> list[dict[str, Any]]:
        """The KMS providers that no stored Secret depended on; may take half a minute."""
        path = f"/_sim/clusters/{quote(cluster_id, safe='')}/encryption/drop-unneeded"
        answer = self._request("POST", path, None, timeout=_PATIENT_SECONDS)
        dropped: list[dict[str, Any]] = json.loads(answer)["dropped"]
        return dropped

    def kubeconfig(self, cluster_id: str) -> str:
        query = "?private=true" if self._inside else ""
        path = f"/_sim/clusters/{quote(cluster_id, safe='')}/kubeconfig{query}"
        return self._request("GET", path, None).decode()

    def clock(self) -> dict[str, Any]:
        return self._json("GET", "/_sim/clock")

    def move_clock(self, **move: Any) -> dict[str, Any]:
        """`advance="8d"`, `freeze=True` or `reset=True`."""
        return self._json("POST", "/_sim/clock", move)

    def explain(self, principal: str, action: str, resource: str, **options: Any) -> dict[str, Any]:
        """Why a user, or role/NAME, may or may not; options: account_id, conditions."""
        question = {"principal": principal, "action": action, "resource": resource}
        return self._json("POST", "/_sim/ram/explain", {**question, **options})

    def rotate_key(self, key_id: str, **scope: str) -> dict[str, Any]:
        """A new version of a symmetric key, now; `scope`: account_id, region."""
        return self._json("POST", "/_sim/kms/rotate", {"key_id": key_id, **scope})

    def key_versions(self, key_id: str, **scope: str) -> dict[str, Any]:
        """`{key_id, versions}` of a key by id, alias or ARN; `scope`: account_id, region."""
        return self._json("GET", f"/_sim/kms/versions?{urlencode({'key_id': key_id, **scope})}")

    def bill(self, **query: Any) -> dict[str, Any]:
        return self._json("GET", f"/_sim/bill?{urlencode(query)}")

    def costs(self, **query: Any) -> dict[str, Any]:
        """What was charged, divided; filters: account_id, by, first, last (dates)."""
        return self._json("GET", f"/_sim/costs?{urlencode(query)}")

    def balance(self, **query: Any) -> dict[str, Any]:
        """What an account (`account_id`) holds and owes."""
        return self._json("GET", f"/_sim/balance?{urlencode(query)}")

    def move_money(self, **transfer: str) -> dict[str, Any]:
        """`recharge` or `withdraw`, an amount as text; `account_id`. Answers the balance."""
        return self._json("POST", "/_sim/balance", transfer)

    def _json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        answer: dict[str, Any] = self._call(method, path, body)
        return answer

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self._request(method, path, body))

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, timeout: float = 30
    ) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the control address of our own world
            self.facts.control + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise WorldError(_refusal(error)) from None
        except (urllib.error.URLError, OSError) as error:
            raise WorldError(
                f"the world does not answer at {self.facts.control}: {error}"
            ) from None


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the user's own world
            content: bytes = answer.read()
            return content
    except (urllib.error.URLError, OSError) as error:
        raise WorldError(f"no world answers at {url}: {error}") from None


def _refusal(error: urllib.error.HTTPError) -> str:
    content = error.read()
    try:
        body = json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
    if "message" in body:
        return f"{body['code']}: {body['message']}"
    problems = body.get("detail", [])
    return "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in problems)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
