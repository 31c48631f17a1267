"""What is verified is what is run: every product, every signature, every place of a meaning.

Requests are signed by an honest client and altered afterwards, one place at a time. An altered one
is refused, and nobody's call; or the place means nothing to its signature, and then the call is to
the letter the one that was signed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from acksim.account.actiontrail.lookup import Trail
from acksim.account.actiontrail.product import actiontrail_product
from acksim.account.billing.balances import Balances
from acksim.account.billing.records import Records
from acksim.account.bss.operations import bss_product
from acksim.account.database import Database
from acksim.account.metadata import RoleCredentials
from acksim.account.ram.generations import Generations
from acksim.account.ram.operations import ram_product
from acksim.account.ram.ram import ram_of
from acksim.account.seals import Seals
from acksim.account.sts.product import sts_product
from acksim.account.sts.sessions import Sessions
from acksim.ack.cs import cs_product
from acksim.ack.kubeconfig import ApiServerAddress
from acksim.ack.pki import LocalAuthority
from acksim.data_dir.layout import Layout
from acksim.world.roles.control_plane import Surroundings, control_plane
from alibaba_edge.gateway.product import Product
from alibaba_edge.ports import (
    ROOT_ACCESS_KEY,
    ROOT_ACCOUNT_ID,
    AllowEverything,
    CallRecord,
    KnownAccessKeys,
    wall_clock,
)
from apiserver_shim.storage.etcd import EtcdClient
from kms_emulator.app import Emulator, KmsSettings, create_app
from kms_emulator.operations import kms_product
from kms_emulator.store import MemoryKeyStore
from tests.unit.acksim.honest_client import (
    FAMILIES,
    FORM,
    Ask,
    Family,
    Pairs,
    Wire,
    encoded,
    signed,
)

SESSION = replace(
    ROOT_ACCESS_KEY,
    access_key_id="STS.session",
    security_token="CAISEwoFdG9rZW4=",
    expires_at=datetime.max.replace(tzinfo=UTC),
)
CLUSTER, ANOTHER = "c" + "1" * 32, "c" + "2" * 32
_ROLE = ("RoleArn", f"acs:ram::{ROOT_ACCOUNT_ID}:role/clerk")
# Product, version, an action, a parameter of it with its value, and what goes with it.
RPC: tuple[tuple[str, str, str, Pairs], ...] = (
    ("Kms", "2016-01-20", "ListKeys", (("PageSize", "5"),)),
    ("Ram", "2015-05-01", "GetUser", (("UserName", "alice"),)),
    ("Sts", "2015-04-01", "AssumeRole", (("RoleSessionName", "desk"), _ROLE)),
    ("Actiontrail", "2020-07-06", "LookupEvents", (("MaxResults", "5"),)),
    ("BssOpenApi", "2017-12-14", "QueryBill", (("BillingCycle", "2026-01"),)),
)
KMS_BODY = orjson.dumps({"kms_key_id": "key-1", "disable_encryption": False})


def asks() -> Iterator[Ask]:
    """Each product with its parameters in each place that it reads."""
    for product, version, action, parameters in RPC:
        yield Ask(product, version, action, "GET", query=parameters, key=ROOT_ACCESS_KEY)
        yield Ask(product, version, action, query=parameters, key=SESSION)
        yield Ask(product, version, action, form=parameters, key=ROOT_ACCESS_KEY)
        yield Ask(product, version, action, query=parameters, region="", key=ROOT_ACCESS_KEY)
    body = b"PageSize=7&Action=CreateKey"
    yield Ask("Kms", "2016-01-20", "ListKeys", unlabelled=body, key=ROOT_ACCESS_KEY)
    cs, name = ("CS", "2015-12-15"), (("name", "shop"),)
    listing = Ask(*cs, "DescribeClustersV1", "GET", "/api/v1/clusters", name, key=SESSION)
    yield listing
    yield replace(listing, key=ROOT_ACCESS_KEY)
    yield replace(listing, key=ROOT_ACCESS_KEY, region="")
    place = f"/clusters/{CLUSTER}/kms"
    yield Ask(*cs, "UpdateKMSEncryption", "PUT", place, json=KMS_BODY, key=ROOT_ACCESS_KEY)
    deletion = (("retain_all_resources", "true"),)
    place = f"/clusters/{CLUSTER}"
    yield Ask(*cs, "DeleteCluster", "DELETE", place, deletion, key=ROOT_ACCESS_KEY)


ASKS = {f"{a.product}-{a.method}-{'token' if a.key is SESSION else 'key'}-{n}": a
        for n, a in enumerate(asks())}  # fmt: skip
FITS: dict[Family, set[str]] = {
    "ACS3": {"RPC", "ROA"},
    "ACS4": {"RPC", "ROA"},
    "RPC": {"RPC"},
    "ROA": {"ROA"},
}

# One value a name that would change a call if it were obeyed.
PARAMETERS: Pairs = (
    ("Action", "CreateKey"),
    ("Version", "2015-05-01"),
    ("RegionId", "cn-beijing"),
    ("Format", "XML"),
    ("SecurityToken", "another"),
    ("AccessKeyId", "LTAIsomebody"),
    ("Signature", "AAAA"),
    ("SignatureNonce", "another"),
    ("Timestamp", "2026-01-02T03:04:05Z"),
    ("SignatureMethod", "HMAC-SHA256"),
    ("SignatureVersion", "9.9"),
    ("SignatureType", "BEARERTOKEN"),
    ("PageSize", "7"),
    ("UserName", "mallory"),
    ("RoleSessionName", "mallory"),
    ("MaxResults", "7"),
    ("BillingCycle", "2026-02"),
    ("name", "another"),
    ("cluster_id", ANOTHER),
    ("retain_all_resources", "false"),
)
HEADERS: Pairs = (
    ("x-acs-action", "CreateKey"),
    ("x-acs-version", "2015-05-01"),
    ("x-acs-region-id", "cn-beijing"),
    ("x-acs-security-token", "another"),
    ("x-acs-accesskey-id", "LTAIsomebody"),
    ("x-acs-date", "2026-01-02T03:04:05Z"),
    ("x-acs-signature-nonce", "another"),
    ("x-acs-signature-method", "HMAC-SHA256"),
    ("x-acs-signature-version", "9.9"),
    ("x-acs-signature-type", "BEARERTOKEN"),
    ("x-acs-content-sha256", "00"),
    ("x-acs-anything", "else"),
    ("authorization", ""),
    ("authorization", "acs LTAIsomebody:AAAA"),
    ("authorization", f"acs {ROOT_ACCESS_KEY.access_key_id}:AAAA"),
    ("authorization", f"ACS3-HMAC-SHA256 Credential={ROOT_ACCESS_KEY.access_key_id}"),
    ("authorization", "Bearer token"),
    ("content-type", FORM),
    ("content-type", "application/json"),
    ("content-type", "application/octet-stream"),
    ("content-md5", "AAAA"),
    ("date", "Fri, 02 Jan 2026 03:04:05 GMT"),
    ("accept", "application/xml"),
    ("host", "kms.cn-beijing.aliyuncs.com"),
    ("host", "kms.cn-beijing.localhost:8700"),
    ("x-http-method-override", "DELETE"),
    ("x-forwarded-host", "kms.cn-beijing.aliyuncs.com"),
)
PATHS = (
    "/",
    "/clusters",
    f"/clusters/{ANOTHER}",
    f"/clusters/{ANOTHER}/kms",
    f"/api/v2/clusters/{ANOTHER}",
    f"/k8s/{CLUSTER}/user_config",
    "//",
    "/%2e",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD")
BODIES = (
    b"",
    b"{}",
    b"[]",
    b"&",
    orjson.dumps({"name": "another", "kms_key_id": "key-2", "RegionId": "cn-beijing"}),
    b"Action=CreateKey&PageSize=7&UserName=mallory&RegionId=cn-beijing",
)


def altered(wire: Wire) -> Iterator[tuple[str, Wire]]:
    """Every single alteration, by what it is. None of them is the request itself."""
    yield from _other_lines(wire)
    yield from _other_query(wire)
    yield from _other_headers(wire)
    yield from _other_bodies(wire)
    yield from _other_authorization(wire)
    yield from _other_family(wire)


def _other_lines(wire: Wire) -> Iterator[tuple[str, Wire]]:
    for method in METHODS:
        if method != wire.method:
            yield f"method {method}", replace(wire, method=method)
    for path in (*PATHS, f"{wire.path}/", f"{wire.path}%20"):
        if path != wire.path:
            yield f"path {path}", replace(wire, path=path)


def _other_query(wire: Wire) -> Iterator[tuple[str, Wire]]:
    query = wire.query
    for pair in PARAMETERS:
        if pair not in query:
            yield f"query has {pair} first", replace(wire, query=(pair, *query))
            yield f"query has {pair} last", replace(wire, query=(*query, pair))
    for place, (name, value) in enumerate(query):
        before, after = query[:place], query[place + 1 :]
        yield f"query without {name}", replace(wire, query=before + after)
        for other in dict.fromkeys(("", f"{value}x", f"x{value}", dict(PARAMETERS).get(name, "x"))):
            if other != value:
                yield f"query {name}={other}", replace(wire, query=(*before, (name, other), *after))
        yield f"query {name} twice", replace(wire, query=(*query, (name, value)))


def _other_headers(wire: Wire) -> Iterator[tuple[str, Wire]]:
    headers = wire.headers
    for name, value in HEADERS:
        if (name, value) in headers:
            continue
        rest = wire.without_header(name)
        yield f"header {name}: {value}", replace(rest, headers=(*rest.headers, (name, value)))
        if rest.headers != headers:
            yield f"header {name} first", replace(wire, headers=((name, value), *headers))
            yield f"header {name} last", replace(wire, headers=(*headers, (name, value)))
    for name, value in headers:
        yield f"no header {name}", wire.without_header(name)
        yield f"header {name} twice", replace(wire, headers=(*headers, (name, value)))
        rest = wire.without_header(name)
        for other in (f"{value}x", ""):
            yield f"header {name} is {other}", replace(rest, headers=(*rest.headers, (name, other)))


def _other_bodies(wire: Wire) -> Iterator[tuple[str, Wire]]:
    for body in BODIES:
        if body == wire.body:
            continue
        other = replace(wire, body=body)
        yield f"body {body!r}", other
        for kind in (FORM, "application/json"):
            if kind != wire.header("content-type"):
                yield f"{kind} body {body!r}", other.with_headers(content_type=kind)
    if wire.body.startswith(b"{"):
        twice = wire.body[:-1] + b',"kms_key_id":"key-2"}'
        yield "JSON name twice", replace(wire, body=twice)
        yield "JSON value", replace(wire, body=wire.body.replace(b"key-1", b"key-2"))
    elif wire.body:
        for pair in PARAMETERS:
            for body in (wire.body + b"&", b""):
                more = body + encoded((pair,)).encode()
                yield f"form {more!r}", replace(wire, body=more)
    else:
        for pair in PARAMETERS:
            form = replace(wire, body=encoded((pair,)).encode())
            yield f"new form with {pair}", form.with_headers(content_type=FORM)


def _other_authorization(wire: Wire) -> Iterator[tuple[str, Wire]]:
    given = wire.header("authorization")
    if not given:
        return
    changes = [
        (given.partition(" ")[0], "ACS3-HMAC-SHA256"),
        (given.partition(" ")[0], "ACS4-HMAC-SHA256"),
        (given.partition(" ")[0], "acs"),
        ("Signature=", "Signature=0"),
        ("x-acs-action;", ""),
        ("x-acs-security-token;", ""),
        (";x-acs-version", ""),
        ("content-type;", ""),
        ("host;", ""),
        ("SignedHeaders=", "SignedHeaders=accept;"),
        ("SignedHeaders=", "SignedHeaders=HOST;"),
        ("/cn-shanghai/", "/cn-beijing/"),
        ("/cn-shanghai/", "/center/"),
        ("/cn-shanghai/", "/mars-1/"),
        ("/aliyun_v4_request", "/nonsense"),
        ("/aliyun_v4_request", ""),
        (f"/{datetime.now(UTC):%Y%m%d}/", "/19990101/"),
        ("/Kms/", "/Ram/"),
    ]
    for old, new in changes:
        changed = given.replace(old, new, 1)
        if changed != given:
            yield f"authorization {old} to {new}", wire.with_headers(authorization=changed)


def _other_family(wire: Wire) -> Iterator[tuple[str, Wire]]:
    """Another call's words beside a signature that does not cover them."""
    steal = {
        "x_acs_action": "DescribeClusterUserKubeconfig",
        "x_acs_version": "2015-12-15",
    }
    kubeconfig = replace(wire, method="GET", path=f"/k8s/{CLUSTER}/user_config")
    for value in ("", "acs", "x", "ACS3-HMAC-SHA256"):
        yield f"kubeconfig by {value!r}", kubeconfig.with_headers(authorization=value, **steal)
    create = {"x_acs_action": "CreateKey", "x_acs_version": "2016-01-20"}
    yield "CreateKey by an empty header", wire.with_headers(authorization="", **create)
    yield "CreateKey by headers", wire.with_headers(**create)


@dataclass
class Log:
    """The calls that belong to somebody."""

    records: list[CallRecord] = field(default_factory=list)

    async def record(self, call: CallRecord, /) -> None:
        self.records.append(call)


@dataclass(frozen=True)
class Outcome:
    """An answer, and the call it was made for if there was one."""

    status: int
    code: str
    content_type: bytes
    call: dict[str, Any] | None


@dataclass
class Cloud:
    """Every product with its real rows and rooms behind one strict gateway."""

    app: Emulator
    log: Log
    products: tuple[Product, ...]

    async def send(self, wire: Wire) -> Outcome:
        self.log.records.clear()
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": wire.body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        length = [("content-length", str(len(wire.body)))] if wire.body else []
        headers = [(n.encode(), v.encode("latin-1")) for n, v in (*wire.headers, *length)]
        await self.app(
            {
                "type": "http",
                "method": wire.method,
                "path": wire.path,
                "raw_path": wire.path.encode(),
                "root_path": "",
                "query_string": encoded(wire.query).encode(),
                "headers": headers,
                "scheme": "http",
                "client": ("127.0.0.1", 1),
            },
            receive,
            send,
        )
        answer = sent[1]["body"] if len(sent) > 1 else b""
        json = answer.startswith(b"{") and orjson.loads(answer)
        return Outcome(
            status=sent[0]["status"],
            code=json.get("Code", "") if json else "",
            content_type=dict(sent[0]["headers"])[b"content-type"],
            call=_meaning(self.log.records[0]) if self.log.records else None,
        )


def _meaning(record: CallRecord) -> dict[str, Any]:
    """Of a call: all but when it was, its id, and what a client says of itself."""
    names = ("product", "version", "action", "region", "resource_name", "http_status", "error_code")
    said = {name: getattr(record, name) for name in names}
    return {**said, "parameters": dict(record.parameters), "caller": record.caller.access_key_id}


@pytest.fixture
async def cloud(tmp_path: Path) -> Any:
    layout = Layout.of(tmp_path).make()
    database = Database(layout.database)
    generations = Generations(database)
    ram = ram_of(database, generations, wall_clock)
    sessions = Sessions(database, wall_clock)
    etcd = EtcdClient(["http://127.0.0.1:9"])
    plane = control_plane(
        Surroundings(
            layout=layout,
            endpoint="http://127.0.0.1:9",
            authority=LocalAuthority(layout.pki),
            address=ApiServerAddress("https://127.0.0.1:9", "https://127.0.0.1:9"),
            database=database,
            roles=ram.roles,
            credentials=RoleCredentials(sessions, "http://127.0.0.1:9"),
            etcd=etcd,
            now=wall_clock,
        )
    )
    log = Log()
    products = (
        ram_product(ram),
        sts_product(ram.roles, sessions),
        actiontrail_product(Trail(database), await Seals.of(database)),
        bss_product(Balances(database, wall_clock), Records(database)),
        cs_product(plane.service),
    )
    app = create_app(
        KmsSettings(),
        store=MemoryKeyStore(),
        identify=KnownAccessKeys(ROOT_ACCESS_KEY, SESSION),
        authorizer=AllowEverything(),
        call_log=log,
        now=wall_clock,
        products=products,
    )
    yield Cloud(app, log, (kms_product(app.kms), *products))
    await etcd.close()
    database.close()


@pytest.mark.parametrize("name", ASKS)
@pytest.mark.parametrize("family", FAMILIES)
async def test_what_was_changed_after_signing_is_not_obeyed(
    cloud: Cloud, family: Family, name: str
) -> None:
    ask = ASKS[name]
    honest = await cloud.send(signed(ask, family))
    fits = ("ROA" if ask.product == "CS" else "RPC") in FITS[family]
    if not fits or (family == "RPC" and ask.unlabelled):
        assert (honest.code, honest.call) == ("IncompleteSignature", None)
    else:
        assert honest.call is not None
        assert honest.status < 500
        assert honest.call["action"] == ask.action
        assert honest.call["region"] == (ask.region or "cn-hangzhou")
    if family == "RPC" and ask.unlabelled:  # who takes away what was not signed leaves what was
        honest = await cloud.send(signed(replace(ask, unlabelled=b""), family))
    refused = 0
    alterations = list(altered(signed(ask, family)))
    for place in range(len(alterations)):
        what, wire = alterations[place]
        outcome = await cloud.send(wire)
        if outcome.call is None:
            refused += 1
            assert 400 <= outcome.status < 500, what
        else:
            assert outcome == honest, what
            alterations = list(altered(signed(ask, family)))  # the nonce of the last is spent
    assert len(alterations) > 150
    assert refused > len(alterations) / 3


@pytest.mark.parametrize("region", ["cn-shanghai", ""])
@pytest.mark.parametrize(
    ("place", "part"),
    [
        (0, "19990101"),
        (0, ""),
        (1, "cn-beijing"),
        (1, "mars-1"),
        (1, ""),
        (2, "Ram"),
        (2, ""),
        (3, "aliyun_v3_request"),
        (3, ""),
    ],
)
async def test_a_scope_is_of_the_request(cloud: Cloud, place: int, part: str, region: str) -> None:
    """Signed honestly, with a key that was made for something else."""
    scope = [f"{datetime.now(UTC):%Y%m%d}", region or "center", "Kms", "aliyun_v4_request"]
    ask = Ask("Kms", "2016-01-20", "ListKeys", region=region, key=ROOT_ACCESS_KEY)
    assert (await cloud.send(signed(replace(ask, scope=tuple(scope)), "ACS4"))).status == 200
    scope[place] = part
    outcome = await cloud.send(signed(replace(ask, scope=tuple(scope)), "ACS4"))
    if (part, region) == ("cn-beijing", ""):  # nothing else names a region: the scope does
        assert outcome.call is not None
        assert outcome.call["region"] == "cn-beijing"
    else:
        assert (outcome.code, outcome.call) == ("IncompleteSignature", None)


async def test_nobody_may_call_anything(cloud: Cloud) -> None:
    """Every operation of every product, asked for without a signature."""
    asked = 0
    for product in cloud.products:
        for row in product.operations:
            method, path = (row.route.method, row.route.path) if row.route else ("POST", "/")
            wire = Wire(method, path.replace("{", "").replace("}", ""))
            named = wire.with_headers(
                host="127.0.0.1", x_acs_version=product.version, x_acs_action=row.name
            )
            query = (("Action", row.name), ("Version", product.version))
            for bare in (named, replace(wire, query=query).with_headers(host="127.0.0.1")):
                outcome = await cloud.send(bare)
                assert (outcome.code, outcome.call) == ("IncompleteSignature", None), row.name
                asked += 1
    assert asked > 400
