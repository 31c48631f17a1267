"""The control API: with and without its token, in bodies that nobody meant."""

import json
from random import Random
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from tests.fuzz.door import ODD_TEXTS, ODD_VALUES, Case, ViolationError, as_bytes, as_text, pick
from tests.fuzz.lab import Lab
from tests.fuzz.wire import NoAnswerError, Wire, request_bytes

_OPEN = ("/healthz", "/docs", "/openapi.json")
# What would take the world away from the rest of the campaign, or make it large.
_LEFT_OUT = {("POST", "/_sim/accounts"), ("POST", "/_sim/clusters"), ("POST", "/_sim/clock")}


class ControlDoor:
    """No 5xx; and nothing but what is open to all answers without the token."""

    name: ClassVar[str] = "control"
    share: ClassVar[int] = 3
    alone: ClassVar[bool] = False
    in_process: ClassVar[bool] = False

    def __init__(self) -> None:
        self._wires: dict[int, Wire] = {}
        self._operations: list[tuple[str, str]] = []

    async def open(self, lab: Lab) -> None:
        parts = urlsplit(lab.world.facts.control)
        self._host, self._place = parts.netloc, (parts.hostname or "", parts.port or 0)
        self._token = lab.world.token
        self._cluster_id = lab.v1.id
        wire = Wire(*self._place)
        headers = [("host", self._host)]
        described = json.loads(
            (await wire.exchange(request_bytes("GET", "/openapi.json", headers))).body
        )
        await wire.close()
        self._operations = sorted(
            (method.upper(), path)
            for path, methods in described["paths"].items()
            for method in methods
            if (method.upper(), path) not in _LEFT_OUT
        )

    def new_case(self, random: Random) -> Case:
        method, path = pick(random, self._operations)
        if random.random() < 0.05:
            method = pick(random, ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "FOO"))
        parts = [
            ("CLUSTER" if method == "GET" and random.random() < 0.6 else _path_part(random))
            if part.startswith("{")
            else part
            for part in path.split("/")
        ]
        names = ("account_id", "by", "first", "last", "key_id", "region", "model", "currency")
        body: Any = pick(random, ODD_VALUES)
        if random.random() < 0.7:
            keys = ("principal", "action", "resource", "key_id", "recharge", "withdraw", *names)
            body = {pick(random, keys): pick(random, ODD_VALUES) for _ in range(3)}
        return {
            "method": method,
            "path": "/".join(parts),
            "query": [
                [pick(random, names), pick(random, ODD_TEXTS)]
                for _ in range(int(random.random() * 3))
            ],
            "token": random.random() < 0.85,
            "headers": [["origin", "http://evil.example"]] if random.random() < 0.05 else [],
            "body": as_text(json.dumps(body).encode()) if method != "GET" else "",
        }

    async def attempt(self, case: Case, worker: int) -> str:
        wire = self._wires.setdefault(worker, Wire(*self._place))
        path = case["path"].replace("CLUSTER", self._cluster_id)
        query = "&".join(f"{n}={quote(v, errors='replace')}" for n, v in case["query"])
        headers = [("host", self._host), ("content-type", "application/json")]
        headers += [(name, value) for name, value in case["headers"]]
        if case["token"]:
            headers.append(("authorization", f"Bearer {self._token}"))
        target = f"{path}?{query}" if query else path
        request = request_bytes(case["method"], target, headers, as_bytes(case["body"]))
        try:
            answer = await wire.exchange(request, head_only=case["method"] == "HEAD")
        except NoAnswerError as error:
            raise ViolationError(f"the connection was closed without an answer: {error}") from None
        except TimeoutError:
            raise ViolationError("no answer within twenty seconds") from None
        if answer.status >= 500:
            raise ViolationError(f"status {answer.status}: {answer.body[:400]!r}")
        refused = answer.status >= 400
        if not refused and case["headers"]:
            raise ViolationError("a page of another origin was answered")
        if not refused and not case["token"] and path not in _OPEN:
            raise ViolationError(f"answered without the token: {answer.status}")
        return str(answer.status)

    async def close(self) -> None:
        for wire in self._wires.values():
            await wire.close()


def _path_part(random: Random) -> str:
    return quote(pick(random, ODD_TEXTS)[:200], safe="", errors="replace") or "x"
