"""Any bytes that a server may hand on: an error with a name, from whoever they come."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alibaba_edge.errors import ParametersUnreadableError
from alibaba_edge.gateway.authentication import AuthMode
from alibaba_edge.ports import AllowEverything, KnownAccessKeys, NullCallLog, wall_clock
from alibaba_edge.request import Request, read_request
from kms_emulator.app import Emulator, KmsSettings, create_app
from kms_emulator.store import MemoryKeyStore
from tests.effort import examples

Headers = list[tuple[bytes, bytes]]

NAMES = (
    b"authorization", b"date", b"host", b"content-type", b"content-length", b"content-md5",
    b"transfer-encoding", b"accept", b"origin", b"user-agent", b"x-acs-action", b"x-acs-version",
    b"x-acs-date", b"x-acs-region-id", b"x-acs-signature-nonce", b"x-acs-security-token",
)  # fmt: skip
SIGNED = b"host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
VALUES = (
    b"", b"acs x:y", b"acs :", b"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=,Signature=",
    b"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=" + SIGNED + b",Signature=\xff",
    b"ACS4-HMAC-SHA256 Credential=a/b/c/d/aliyun_v4_request,SignedHeaders=\xe9;,Signature=0",
    b"Fri, 31 Dec 9999 23:59:59 -2300", b"Fri, 31 Dec 9999 23:59:59 GMT",
    b"Mon, 01 Jan 0001 00:00:00 GMT", b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00Z",
    b"2026-02-30T00:00:00Z", b"application/x-www-form-urlencoded", b"application/json", b"9" * 5000,
    b"-1", b"1e3", b"0", b"chunked", b"2016-01-20", b"ListKeys", b"cn-beijing", b"\xff\xfe",
    b"\xd9\xa3",
)  # fmt: skip
PAIRS = (
    b"Action=ListKeys", b"Version=2016-01-20", b"Signature=x", b"Signature=%ff", b"AccessKeyId=%80",
    b"SignatureNonce=1", b"Timestamp=9999-12-31T23:59:59Z", b"Timestamp=0001-01-01T00:00:00Z",
    b"RegionId=%ED%A0%80", b"\xff=1", b"%00", b"a" * 3000, b"PageSize=" + b"9" * 5000, b"%", b"=",
    b"Format=XML", b"Format=\xc3\xa9",
)  # fmt: skip
headers = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.binary(max_size=20)), max_size=8
)
pairs = st.lists(st.sampled_from(PAIRS) | st.binary(max_size=12), max_size=8).map(b"&".join)
paths = st.sampled_from([b"/", b"*", b"/clusters/c1", b"/\xff", b"/%ff", b"/%00", b"//"])


def emulator(auth: AuthMode) -> Emulator:
    return create_app(
        KmsSettings(auth=auth, allowed_hosts=("*",)),
        store=MemoryKeyStore(),
        identify=KnownAccessKeys(),
        authorizer=AllowEverything(),
        call_log=NullCallLog(),
        now=wall_clock,
    )


EMULATORS = {mode: emulator(mode) for mode in ("strict", "soft", "off")}


def scope(path: bytes, query: bytes, given: Headers, method: str = "POST") -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path.decode("latin-1"),
        "raw_path": path,
        "root_path": "",
        "query_string": query,
        "headers": given,
        "scheme": "http",
        "client": ("127.0.0.1", 1),
    }


async def send(app: Any, request: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def keep(message: Any) -> None:
        sent.append(message)

    await app(request, receive, keep)
    return sent[0]["status"], sent[1]["body"]


@settings(max_examples=examples(300, ci=5000), deadline=None)
@given(
    mode=st.sampled_from(sorted(EMULATORS)), path=paths, query=pairs, given_headers=headers,
    body=pairs, method=st.sampled_from(["GET", "POST", "PUT", "\xff"]),
)  # fmt: skip
@example(
    mode="strict", path=b"/", query=b"", body=b"", method="POST",
    given_headers=[(b"authorization", b"acs x:y"), (b"date", b"Fri, 31 Dec 9999 23:59:59 -2300")],
)  # fmt: skip
@example(
    mode="soft", path=b"/", query=b"", body=b"x", method="POST",
    given_headers=[(b"content-length", b"9" * 5000)],
)  # fmt: skip
def test_any_bytes_get_a_named_answer(
    mode: AuthMode, path: bytes, query: bytes, given_headers: Headers, body: bytes, method: str
) -> None:
    unique = [(b"host", b"localhost"), *(h for h in given_headers if h[0] != b"host")]
    for lines in (unique, given_headers):
        request = scope(path, query, lines, method)
        status, answer = asyncio.run(send(EMULATORS[mode], request, body))
        assert status < 500, answer
        if status != 200:
            assert answer.startswith(b"<?xml") or orjson.loads(answer)["Code"]
        if mode == "strict":
            assert status != 200


async def read(*given: tuple[str, str], query: bytes = b"", body: bytes = b"") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    encoded = [(name.encode(), value.encode()) for name, value in given]
    return await read_request(scope(b"/", query, encoded), receive)


@pytest.mark.parametrize(
    "name",
    ["authorization", "content-length", "content-md5", "content-type", "date", "x-acs-region-id"],
)
async def test_a_header_that_is_no_list_comes_once(name: str) -> None:
    with pytest.raises(ParametersUnreadableError, match=name):
        await read((name, "1"), ("accept", "a"), (name, "1"))


async def test_other_headers_are_lists_and_nothing_is_dropped() -> None:
    request = await read(("accept", "a"), ("via", "x"), ("accept", " b\t"))
    assert request.headers == {"accept": "a, b", "via": "x"}


@pytest.mark.parametrize(
    ("content_type", "is_form"),
    [
        ("application/x-www-form-urlencoded", True),
        ("Application/X-WWW-Form-URLEncoded; charset=utf-8", True),
        ("application/x-www-form-urlencoded-not", False),
        ("text/plain", False),
        ("", False),
    ],
)
async def test_a_form_is_what_says_so(content_type: str, is_form: bool) -> None:
    request = await read(("content-type", content_type), ("content-length", "3"), body=b"a=1")
    assert request.form == ((("a", "1"),) if is_form else ())
    assert request.body == b"a=1"


@pytest.mark.parametrize("query", [b"a=%ff", b"%80=1", b"a=\xff", b"a=%ED%A0%80", b"a=%00"])
async def test_a_query_is_utf_8(query: bytes) -> None:
    with pytest.raises(ParametersUnreadableError):
        await read(query=query)


async def test_a_body_of_unknown_length_is_read() -> None:
    request = await read(("transfer-encoding", "chunked"), body=b"{}")
    assert request.body == b"{}"
    assert (await read(body=b"{}")).body == b"", "HTTP/1.1 has no body without either header"
