"""A running world as its users see it: addresses, and the control API behind plain methods."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from acksim.data_dir import control_token, world_lock
from acksim.data_dir.layout import Layout, write_private
from acksim.settings import SettingsError

_PATIENT_SECONDS = 90.0
_EXAMPLE = "http://127.0.0.1:8780"


class WorldError(Exception):
    """The world refused or is not there; the text says what to do next."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Where everything listens; `pid` is for people, no program may signal it."""

    pid: int
    endpoint: str
    tls_endpoint: str
    kubernetes: str
    control: str
    etcd: tuple[str, ...]
    data_dir: str
    ca: str
    ephemeral: bool = False
    etcd_program: str = ""  # and its version, such as 3.5.16, where the world started one
    etcd_version: str = ""

    @classmethod
    def of(cls, content: Any) -> "Facts":
        """From what `world.json` holds; raises ValueError when it is not of this version."""
        types = {"pid": int, "etcd": list, "ephemeral": bool}
        known = {row.name: types.get(row.name, str) for row in fields(cls)}
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")  # noqa: TRY004 - a bad file, no bad call
        kept = {name: content[name] for name in known if name in content}
        for name, value in kept.items():
            texts = value if name == "etcd" else []
            if type(value) is not known[name] or not all(type(text) is str for text in texts):
                raise ValueError(f"{name} is {value!r}")
        try:
            return cls(**{**kept, "etcd": tuple(kept["etcd"])})
        except (KeyError, TypeError):
            missing = ", ".join(sorted(known.keys() - kept.keys()))
            raise ValueError(f"another version of acksim wrote it, without {missing}") from None


class World:
    """A client of one world. Synchronous: it serves commands and tests."""

    def __init__(self, facts: Facts, *, token: str, inside: bool = False) -> None:
        self.facts = facts
        self.token = token  # what the control API asks for
        # Inside the containers' network the API server has another address than outside.
        self._inside = inside

    @classmethod
    def attach(cls, data_dir: Path) -> "World":
        """The world that runs in `data_dir`; raises WorldError when there is none.

        What lies there may be of a world that was killed: only the lock says that one runs.
        """
        layout = Layout.of(data_dir)
        require_running(layout)
        try:
            facts = Facts.of(json.loads(layout.facts.read_text()))
        except FileNotFoundError:
            raise WorldError(
                f"the world in {data_dir} is starting or ending: ask again in a moment"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise WorldError(
                f"{layout.facts} cannot be read ({error}); `acksim down` and `acksim up` write "
                "it anew"
            ) from None
        return cls(facts, token=_token_of(layout))

    @classmethod
    def connect(cls, control: str, folder: Path, *, token: str) -> "World":
        """The world whose control API is at `control`, in containers or on another machine.

        `folder`, a private one, takes the certificate of its authority. Who reaches it on
        loopback uses the published ports, others the addresses of the containers' network.
        """
        host, base = _control_address(control)
        inside = not _is_loopback(host)
        there = json.loads(_request(base, token, "GET", "/_sim/addresses"))
        host = f"[{host}]" if ":" in host else host
        authority = folder / "ca.crt"
        write_private(authority, there["ca"])
        facts = Facts(
            pid=0,
            endpoint=f"http://{host}:{there['http_port']}",
            tls_endpoint=f"https://{host}:{there['https_port']}",
            kubernetes=there["kubernetes_private" if inside else "kubernetes"],
            control=base,
            etcd=tuple(there["etcd"]),
            data_dir=str(folder),
            ca=str(authority),
        )
        return cls(facts, token=token, inside=inside)

    @property
    def elsewhere(self) -> bool:
        """Whether it runs in containers or on another machine, where no process of it is ours."""
        return self.facts.pid == 0

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
        return _request(self.facts.control, self.token, method, path, body, timeout=timeout)


def require_running(layout: Layout) -> None:
    """Raises WorldError unless some process runs a world there."""
    try:
        running = world_lock.held(layout.lock)
    except OSError as error:
        raise WorldError(f"cannot look into {layout.root}: {error.strerror}") from None
    if not running:
        raise WorldError(
            f"no world runs in {layout.root}; start one with `acksim up` "
            "(or name its place with --data-dir)"
        )


def _token_of(layout: Layout) -> str:
    try:
        return control_token.read(layout.token)
    except FileNotFoundError:
        raise WorldError(
            f"the world in {layout.root} has lost its token ({layout.token}): end it with "
            "`acksim down`, and `acksim up` makes another"
        ) from None
    except (OSError, SettingsError) as error:
        raise WorldError(f"the token of the world cannot be read: {error}") from None


def _request(
    base: str,
    token: str,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    timeout: float = 30,
) -> bytes:
    """One call of the control API. By no proxy and no redirect, which would learn the token."""
    url = urlsplit(base)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=timeout)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    try:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise WorldError(f"the world does not answer at {base}: {error}") from None
    finally:
        connection.close()
    if answer.status >= 300:
        raise WorldError(_refusal(answer.status, said))
    return said


def _refusal(status: int, content: bytes) -> str:
    try:
        body = json.loads(content)
    except ValueError:
        return content.decode(errors="replace") or f"the world answered {status}"
    if "message" in body:
        return f"{body['code']}: {body['message']}"
    problems = body.get("detail", [])
    return "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in problems)


def _control_address(text: str) -> tuple[str, str]:
    """Its host, and its scheme, host and port; raises WorldError."""
    try:
        url = urlsplit(text)
        if url.scheme in {"http", "https"} and url.hostname and (url.port is None or url.port):
            return url.hostname, f"{url.scheme}://{url.netloc}"
    except ValueError:
        pass
    raise WorldError(f"{text!r} is no address of a control API; one is like {_EXAMPLE}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
