"""The port of Alibaba Cloud's APIs: unsigned, signed, and altered after signing."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlsplit

from acksim.account.actiontrail.product import OPERATIONS as TRAIL_OPERATIONS
from acksim.account.bss.operations import OPERATIONS as BSS_OPERATIONS
from acksim.account.ram.operations import OPERATIONS as RAM_OPERATIONS
from acksim.account.sts.product import OPERATIONS as STS_OPERATIONS
from acksim.ack.cs import OPERATIONS as CS_OPERATIONS
from acksim.clients.alibaba import Signer
from acksim.clients.kms import Kms
from alibaba_edge.gateway.product import Operation
from kms_emulator.operations import OPERATIONS as KMS_OPERATIONS
from tests.fuzz.door import (
    ODD_TEXTS,
    ODD_VALUES,
    Case,
    ViolationError,
    as_bytes,
    as_text,
    mutated,
    pick,
)
from tests.fuzz.lab import Lab
from tests.fuzz.wire import Answer, NoAnswerError, Wire, request_bytes

Row = Operation[Any, Any, Any]
Pairs = list[list[str]]

KMS, CS = "2016-01-20", "2015-12-15"
_RPC: Mapping[str, tuple[Row, ...]] = {
    KMS: KMS_OPERATIONS,
    "2015-05-01": RAM_OPERATIONS,
    "2015-04-01": STS_OPERATIONS,
    "2020-07-06": TRAIL_OPERATIONS,
    "2017-12-14": BSS_OPERATIONS,
}
_ROWS = [(version, row) for version, rows in _RPC.items() for row in rows if row.built]
_ROUTES = [row for row in CS_OPERATIONS if row.built and row.route is not None]
_FAMILIES = ("ACS3", "RPC", "ROA", "")
_UNNAMED = {"InternalFailure", "InternalError"}
_MEANT = {"host", "authorization", "content-type", "content-md5", "date", "accept"}
_GOOD = ("alias/fuzz", "cn-hangzhou", "aGVsbG8=", "7", "10", "1", "true", "test", "Custom", "")


class Signing:
    """Signs a case as a client of one family does, at this moment."""

    def __init__(self, signer: Signer, host: str) -> None:
        self._signer = signer
        self._host = host

    def request(self, case: Case) -> bytes:
        """The request of a case, from its method to its body."""
        family, method, path = case["family"], case["method"], case["path"]
        query: Pairs = [list(pair) for pair in case.get("query", [])]
        headers = [("host", self._host), *map(tuple, case.get("headers", []))]
        body = as_bytes(case.get("body", ""))
        if family == "RPC":
            self._sign_rpc(method, query, case)
        target = path + ("?" + _encoded(query) if query else "")
        if family == "ACS3":
            headers += self._acs3(method, path, query, case, body)
        elif family == "ROA":
            headers += self._roa(method, path, query, case, body)
        return request_bytes(method, target, headers, body)

    def _sign_rpc(self, method: str, query: Pairs, case: Case) -> None:
        query += [
            ["Action", case["action"]],
            ["Version", case["version"]],
            ["AccessKeyId", self._signer.access_key_id],
            ["SignatureMethod", "HMAC-SHA1"],
            ["SignatureVersion", "1.0"],
            ["SignatureNonce", secrets.token_hex(16)],
            ["Timestamp", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"],
        ]
        text = f"{method}&%2F&{_escaped(_encoded(query, ordered=True))}"
        query.append(["Signature", _sha1(self._signer.access_key_secret + "&", text)])

    def _acs3(
        self, method: str, path: str, query: Pairs, case: Case, body: bytes
    ) -> list[tuple[str, str]]:
        headers = {
            "host": self._host,
            "x-acs-action": case["action"],
            "x-acs-version": case["version"],
            "x-acs-date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        }
        if body:
            headers["content-type"] = "application/json"
        names = sorted(headers)
        lines = [method, path, _encoded(query, ordered=True)]
        lines += [f"{name}:{headers[name]}" for name in names]
        lines += ["", ";".join(names), headers["x-acs-content-sha256"]]
        digest = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
        text = f"ACS3-HMAC-SHA256\n{digest}".encode()
        signature = hmac.digest(self._signer.access_key_secret.encode(), text, "sha256").hex()
        del headers["host"]
        headers["authorization"] = (
            f"ACS3-HMAC-SHA256 Credential={self._signer.access_key_id},"
            f"SignedHeaders={';'.join(names)},Signature={signature}"
        )
        return list(headers.items())

    def _roa(
        self, method: str, path: str, query: Pairs, case: Case, body: bytes
    ) -> list[tuple[str, str]]:
        headers = {
            "accept": "application/json",
            "date": format_datetime(datetime.now(UTC), usegmt=True),
            "x-acs-signature-method": "HMAC-SHA1",
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-signature-version": "1.0",
            "x-acs-version": case["version"],
        }
        if body:
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            headers["content-md5"] = base64.b64encode(digest).decode()
            headers["content-type"] = "application/json"
        named = ("accept", "content-md5", "content-type", "date")
        lines = [method, *(headers.get(name, "") for name in named)]
        lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name[:6] == "x-acs-"]
        plain = "&".join(f"{n}={v}" if v else n for n, v in sorted(query))
        lines.append(f"{path}?{plain}" if plain else path)
        signature = _sha1(self._signer.access_key_secret, "\n".join(lines))
        headers["authorization"] = f"acs {self._signer.access_key_id}:{signature}"
        return list(headers.items())


def _escaped(text: str) -> str:
    return quote(text, safe="~", errors="surrogatepass")


def _encoded(query: Pairs, *, ordered: bool = False) -> str:
    pairs = sorted(query) if ordered else query
    return "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in pairs)


def _sha1(key: str, text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(key.encode(), data, "sha1")).decode()


class CloudDoor:
    """No unnamed error; and nothing that was altered after it was signed is obeyed."""

    name: ClassVar[str] = "alibaba"
    share: ClassVar[int] = 25
    alone: ClassVar[bool] = False
    in_process: ClassVar[bool] = False

    def __init__(self) -> None:
        self._wires: dict[int, Wire] = {}

    async def open(self, lab: Lab) -> None:
        parts = urlsplit(lab.world.facts.endpoint)
        self._place = (parts.hostname or "", parts.port or 0)
        # An account and a cluster of its own: some inputs delete the cluster, as they should.
        account = lab.world.new_account("fuzz")
        signer = Signer(account["access_key_id"], account["access_key_secret"])
        self._signing = Signing(signer, parts.netloc)
        kms = Kms(lab.world.facts.endpoint, signer.access_key_id, signer.access_key_secret)
        key_id = kms.create_key(description="of a campaign")["KeyId"]
        kms.call("CreateAlias", KeyId=key_id, AliasName="alias/fuzz")
        facts = lab.world.create_cluster("fuzz", account_id=account["account_id"], key_id=key_id)
        self._cluster_id = facts["cluster_id"]

    def new_case(self, random: Random) -> Case:
        of_clusters = random.random() < 0.25
        case = self._cs_case(random) if of_clusters else self._rpc_case(random)
        if case["family"] and random.random() < 0.4:
            case["alter"] = int(random.random() * 2**31)
        return case

    def _rpc_case(self, random: Random) -> Case:
        version, row = pick(random, _ROWS)
        names = [field.alias or name for name, field in row.request.model_fields.items()]
        query: Pairs = []
        for name in names:
            if random.random() < 0.7:
                query.append([name, _value(random, name)])
        if random.random() < 0.1:
            query.append([f"{pick(random, names or ['Tag'])}.{pick(random, ODD_TEXTS)}", "x"])
        return {
            "family": pick(random, ("ACS3", "RPC", "ACS3", "RPC", *_FAMILIES)),
            "method": pick(random, ("GET", "POST", "POST")),
            "path": "/"
            if random.random() < 0.97
            else pick(random, ("//", "/x", "/%2e", "/healthz")),
            "version": version if random.random() < 0.98 else pick(random, ODD_TEXTS)[:64],
            "action": row.name if random.random() < 0.98 else pick(random, ODD_TEXTS)[:64],
            "query": [[_sendable(n), _sendable(v)] for n, v in query],
        }

    def _cs_case(self, random: Random) -> Case:
        row = pick(random, _ROUTES)
        assert row.route is not None
        path = "/".join(
            (
                CLUSTER
                if random.random() < 0.8
                else quote(pick(random, ODD_TEXTS)[:60], safe="", errors="replace")
            )
            if part.startswith("{")
            else part
            for part in row.route.path.split("/")
        )
        names = [field.alias or name for name, field in row.request.model_fields.items()]
        body = {name: pick(random, ODD_VALUES) for name in names if random.random() < 0.5}
        text = json.dumps(body) if row.route.method != "GET" else ""
        return {
            "family": pick(random, ("ACS3", "ROA", "ACS3", *_FAMILIES)),
            "method": row.route.method,
            "path": path,
            "version": CS,
            "action": row.name,
            "query": [
                [n, "1"] for n in names if row.route.method == "GET" and random.random() < 0.3
            ],
            "body": as_text(text.encode("utf-8", "replace")),
        }

    async def attempt(self, case: Case, worker: int) -> str:
        case = {**case, "path": case["path"].replace(CLUSTER, self._cluster_id)}
        request = self._signing.request(case)
        obeyed_is_wrong = False
        if "alter" in case:
            changed = _altered_request(request, Random(case["alter"]), case["family"])
            obeyed_is_wrong = _meaning(changed, case["family"]) != _meaning(request, case["family"])
            request = changed
        wire = self._wires.setdefault(worker, Wire(*self._place))
        try:
            answer = await wire.exchange(request, head_only=request.startswith(b"HEAD "))
        except NoAnswerError:
            if "alter" in case:  # altered framing may leave a request that never ends
                return "closed"
            raise ViolationError("the connection was closed without an answer") from None
        except TimeoutError:
            if "alter" in case:
                return "unfinished"
            raise ViolationError("no answer within twenty seconds") from None
        if "alter" in case:
            await wire.close()  # what follows an altered request may be read as another
        _check_named(answer)
        if obeyed_is_wrong and answer.status < 300 and not _open_to_all(request):
            raise ViolationError(f"obeyed although altered after signing: {request[:2000]!r}")
        return str(answer.status)

    async def close(self) -> None:
        for wire in self._wires.values():
            await wire.close()


CLUSTER = "CLUSTER"
"""Stands in a case's path for the id of the campaign's cluster."""


def _value(random: Random, name: str) -> str:
    if name in {"KeyId", "AliasName"} and random.random() < 0.7:
        return "alias/fuzz"
    if name == "KeySpec" and random.random() < 0.9:
        return pick(random, ("Aliyun_AES_256", "EC_P256", ""))
    if random.random() < 0.4:
        return pick(random, _GOOD)
    if random.random() < 0.2:
        value = pick(random, ODD_VALUES)
        return value if isinstance(value, str) else json.dumps(value)
    return pick(random, ODD_TEXTS)


def _sendable(text: str) -> str:
    """Lone surrogates have no UTF-8 that a client could sign alike on both sides."""
    return text.encode("utf-8", "replace").decode()


def _altered_request(request: bytes, random: Random, family: str) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    choice = random.random()
    if family == "RPC" or choice < 0.4 or not lines:
        method, target, version = first.split(b" ", 2)
        target = mutated(random, target).replace(b" ", b"").replace(b"\r", b"").replace(b"\n", b"")
        first = b" ".join((method, target or b"/", version))
    elif choice < 0.7:
        at = int(random.random() * len(lines))
        if not lines[at].lower().startswith(b"content-length"):
            name, separator, value = lines[at].partition(b": ")
            lines[at] = (
                name + separator + mutated(random, value).replace(b"\n", b"").replace(b"\r", b"")
            )
    elif choice < 0.85:
        added = (
            b"x-acs-action: DisableKey", b"x-acs-version: 2015-12-15", b"authorization:",
            b"x-acs-security-token: x", b"x-acs-region-id: cn-beijing", b"host: evil.example",
            b"content-type: application/x-www-form-urlencoded", b"x-http-method-override: DELETE",
        )  # fmt: skip
        lines.append(pick(random, added))
    elif body:
        changed = mutated(random, body)
        body = (changed + b" " * len(body))[: len(body)]
    else:
        lines.append(lines[int(random.random() * len(lines))])
    return b"\r\n".join([first, *lines]) + b"\r\n\r\n" + body


def _meaning(request: bytes, family: str) -> Any:
    """What of a request a signature of this family says, in one form for all its spellings."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target = first.split(" ", 2)[:2]
    path, _, query = target.partition("?")
    pairs = sorted(parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))
    if family == "RPC":  # neither covers headers nor asks them anything
        return method, path, pairs
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "content-type" and not body:
            continue  # of nothing
        if name.lower() == "host" and family == "ROA":
            continue  # which neither covers it nor takes a region from it
        if name.lower() in _MEANT or name.lower().startswith("x-acs-"):
            headers.append((name.lower(), value.strip()))
    return method, path, pairs, sorted(headers), body


def _check_named(answer: Answer) -> None:
    if not answer.headers.get("content-type", "").startswith("application/json"):
        if answer.status >= 500:
            raise ViolationError(f"status {answer.status}: {answer.body[:400]!r}")
        return
    content = json.loads(answer.body) if answer.body else None
    if answer.status >= 400 and not isinstance(content, dict):
        raise ViolationError(f"status {answer.status}: {answer.body[:400]!r}")
    if isinstance(content, dict):
        code = content.get("Code", content.get("code", ""))
        if code in _UNNAMED or (answer.status >= 500 and not code):
            raise ViolationError(f"status {answer.status}: {answer.body[:400]!r}")


def _open_to_all(request: bytes) -> bool:
    """Pages and probes that nobody signs."""
    path = request.split(b" ", 2)[1].partition(b"?")[0]
    return path.startswith((b"/healthz", b"/metrics", b"/docs", b"/openapi.json", b"/latest/"))
