"""Signature vectors: published ones, and ones whose requests an official SDK sent."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest

from alibaba_edge.errors import ApiError, IncompleteSignatureError, TimestampMissingError
from alibaba_edge.gateway.claim import Proof, read_claim
from alibaba_edge.request import Request

NONCE = "00000000000000000000000000000001"
SIGNED = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
ENCRYPT = (
    ("KeyId", "alias/demo"),
    ("Plaintext", "aGVsbG8="),
    ("EncryptionContext", '{"a":"b c"}'),
)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
KMS_BODY = b'{"disable_encryption":false,"kms_key_id":"key-hzz123"}'


def acs_headers(**changes: str) -> dict[str, str]:
    headers = {
        "host": "127.0.0.1:8080",
        "x-acs-action": "Encrypt",
        "x-acs-version": "2016-01-20",
        "x-acs-date": "2024-01-02T03:04:05Z",
        "x-acs-signature-nonce": NONCE,
        "x-acs-content-sha256": EMPTY,
    }
    return headers | {name.replace("_", "-"): value for name, value in changes.items()}


def acs3(access_key_id: str, signature: str, signed: str = SIGNED) -> str:
    return (
        f"ACS3-HMAC-SHA256 Credential={access_key_id},SignedHeaders={signed},Signature={signature}"
    )


VECTOR_A = Request(
    "POST",
    "/",
    acs_headers(
        authorization=acs3(
            "testid", "59834ab901fd07ebf850130b8aaee7710905fd7bb965f3df495ca82f6fef1ccf"
        )
    ),
    query=ENCRYPT,
)

VECTOR_B = Request(
    "POST",
    "/",
    acs_headers(
        authorization=acs3(
            "testid/20240102/cn-hangzhou/Kms/aliyun_v4_request",
            "35e79fc5649dfaa9eaa6e0980eedaf86b5f5428d94f66f410fcb1472a05f7213",
        ).replace("ACS3", "ACS4")
    ),
    query=ENCRYPT,
)

RPC_COMMON = (
    ("Action", "Encrypt"),
    ("Version", "2016-01-20"),
    ("Format", "JSON"),
    ("AccessKeyId", "testid"),
    ("SignatureMethod", "HMAC-SHA1"),
    ("SignatureVersion", "1.0"),
    ("SignatureType", ""),
    ("SignatureNonce", NONCE),
    ("Timestamp", "2024-01-02T03:04:05Z"),
    ("RegionId", "cn-hangzhou"),
)
VECTOR_C = Request(
    "POST",
    "/",
    {"host": "127.0.0.1:8080"},
    query=(*ENCRYPT, *RPC_COMMON, ("Signature", "jp6uJozxvG/Jp148h3dQ2Kgnkuo=")),
)

VECTOR_D = Request(
    "PUT",
    "/clusters/c1234567890abcdef/kms",
    {
        "host": "127.0.0.1:37849",
        "accept": "application/json",
        "x-acs-version": "2015-12-15",
        "x-sdk-invoke-type": "common",
        "content-type": "application/json",
        "content-md5": "HgZFNmBQHBq3ymzzvYAE0w==",
        "x-acs-region-id": "cn-hangzhou",
        "date": "Tue, 02 Jan 2024 03:04:05 GMT",
        "x-acs-signature-method": "HMAC-SHA1",
        "x-acs-signature-version": "1.0",
        "authorization": "acs testid:OjtPmBLn2CPW64ec8oaozevcmew=",
    },
    query=(("RegionId", "cn-hangzhou"),),
    body=KMS_BODY,
)

VECTOR_E = Request(
    "PUT",
    "/clusters/c1234567890abcdef/kms",
    acs_headers(
        content_type="application/json; charset=utf-8",
        x_acs_action="UpdateKMSEncryption",
        x_acs_version="2015-12-15",
        x_acs_content_sha256="de2c47cad9bd24f9192f6fbb0df0e42b27a239b5d2af938b303d691f1ba87cd4",
        authorization=acs3(
            "testid",
            "14a56316c48d61f9d1379205d1952151cf050b40112ccfbf75683f5a3f95a238",
            f"content-type;{SIGNED}",
        ),
    ),
    body=KMS_BODY,
)


def run_instances(date: str, nonce: str, signature: str) -> Request:
    """The worked example of "V3 request structure and signature", as published."""
    return Request(
        "POST",
        "/",
        acs_headers(
            host="ecs.cn-shanghai.aliyuncs.com",
            x_acs_action="RunInstances",
            x_acs_version="2014-05-26",
            x_acs_date=date,
            x_acs_signature_nonce=nonce,
            authorization=acs3("YourAccessKeyId", signature),
        ),
        query=(
            ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
            ("RegionId", "cn-shanghai"),
        ),
    )


PUBLISHED = [
    run_instances(
        "2023-10-26T10:22:32Z",
        "3156853299f313e23d1673dc12e1703d",
        "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
    ),
    run_instances(
        "2023-10-26T09:01:01Z",
        "d410180a5abf7fe235dd9b74aca91fc0",
        "e521358f7776c97df52e6b2891a8bc73026794a071b50c3323388c4e0df64804",
    ),
]
VECTORS = {"A": VECTOR_A, "B": VECTOR_B, "C": VECTOR_C, "D": VECTOR_D, "E": VECTOR_E}


def given_by_testsecret(request: Request) -> bool:
    proof = read_claim(request).proof
    return isinstance(proof, Proof) and proof.given_by("testsecret")


def proof_of(request: Request) -> Proof:
    proof = read_claim(request).proof
    if isinstance(proof, ApiError):
        raise proof
    return proof


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_is_proven_by_its_secret_and_no_other(name: str) -> None:
    proof = proof_of(VECTORS[name])
    assert proof.sign("testsecret") == proof.signature
    assert proof.given_by("testsecret")
    assert not proof.given_by("testsecret2")


@pytest.mark.parametrize("request_", PUBLISHED)
def test_the_published_examples_verify(request_: Request) -> None:
    assert proof_of(request_).given_by("YourAccessKeySecret")


def test_a_request_without_a_nonce_is_incomplete() -> None:
    """Though KMS's oldest documentation shows one: every SDK sends a nonce."""
    pairs = (
        ("Action", "CreateKey"),
        ("Version", "2016-01-20"),
        ("Format", "json"),
        ("AccessKeyId", "testid"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2016-03-28T03:13:08Z"),
    )
    request = Request("GET", "/", {}, query=(*pairs, ("Signature", "41wk2SSX1GJh7fwnc5eqOfiJPFg=")))
    with pytest.raises(IncompleteSignatureError):
        proof_of(request)


def test_the_rpc_string_to_sign_is_the_one_clients_compare_with() -> None:
    text = proof_of(VECTOR_C).string_to_sign
    assert text.startswith("POST&%2F&AccessKeyId%3Dtestid%26Action%3DEncrypt%26EncryptionContext")
    assert "%253A%2522b%2520c%2522%257D%26Format%3DJSON" in text


def test_form_parameters_enter_an_rpc_signature() -> None:
    moved = replace(VECTOR_C, query=VECTOR_C.query[1:], form=VECTOR_C.query[:1])
    assert proof_of(moved).given_by("testsecret")


@pytest.mark.parametrize("name", VECTORS)
def test_a_changed_request_is_not_proven(name: str) -> None:
    request = VECTORS[name]
    changed = [
        replace(request, method="GET"),
        replace(request, query=(*request.query, ("X", "1"))),
    ]
    if name != "C":
        changed.append(replace(request, path="/other"))
    if name in {"A", "B", "E"}:
        changed.append(replace(request, body=b"x"))
        changed.append(replace(request, headers={**request.headers, "host": "elsewhere"}))
    for altered in changed:
        assert not given_by_testsecret(altered)


def test_an_roa_body_is_held_against_the_digest_that_was_signed() -> None:
    for body in (b"x", b""):
        with pytest.raises(IncompleteSignatureError):
            proof_of(replace(VECTORS["D"], body=body))


@pytest.mark.parametrize(
    "authorization",
    [
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SHA256 ",
        "ACS3-HMAC-SHA256 Credential=testid",
        f"ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={SIGNED}",
        f"ACS3-HMAC-SHA256 Credential=,SignedHeaders={SIGNED},Signature=00",
        "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-date,Signature=00",
        f"ACS3-HMAC-SHA256 Credential=testid/1/2/3/4,SignedHeaders={SIGNED},Signature=00",
        f"ACS4-HMAC-SHA256 Credential=testid/1/2,SignedHeaders={SIGNED},Signature=00",
        f"ACS3-HMAC-SM3 Credential=testid,SignedHeaders={SIGNED},Signature=00",
        "Bearer token",
        ",,,=",
        "acs testid",
    ],
)
def test_a_malformed_authorization_is_incomplete(authorization: str) -> None:
    date = "Tue, 02 Jan 2024 03:04:05 GMT"
    headers = acs_headers(authorization=authorization, date=date)
    with pytest.raises(IncompleteSignatureError):
        proof_of(Request("POST", "/", headers))


def test_nothing_signed_is_incomplete() -> None:
    with pytest.raises(IncompleteSignatureError):
        proof_of(Request("GET", "/", {}, query=(("Action", "ListKeys"),)))


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_authorization_is_no_missing_one(empty: str) -> None:
    signed = replace(VECTOR_C, headers={**VECTOR_C.headers, "authorization": empty})
    with pytest.raises(IncompleteSignatureError):
        proof_of(signed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SignatureVersion", "9.9"),
        ("SignatureVersion", ""),
        ("SignatureMethod", "HMAC-SHA256"),
        ("SignatureType", "BEARERTOKEN"),
        ("SignatureType", "PRIVATEKEY"),
    ],
)
def test_a_signature_of_another_kind_is_refused(name: str, value: str) -> None:
    others = tuple(pair for pair in VECTOR_C.query if pair[0] != name)
    with pytest.raises(IncompleteSignatureError, match=name):
        proof_of(replace(VECTOR_C, query=(*others, (name, value))))


@pytest.mark.parametrize(
    "query", [(("a", "b&c"),), (("a&b", "c"),), (("a=b", "c"),), (("a", "b"), ("c", "&"))]
)
def test_an_roa_query_that_reads_in_two_ways_is_refused(query: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(IncompleteSignatureError, match="query"):
        proof_of(replace(VECTOR_D, query=query))


@pytest.mark.parametrize(
    "time",
    [
        "",
        "yesterday",
        "2024-01-02",
        "2024-01-02T03:04:05+08:00",
        "2024-01-02 03:04:05Z",
        "2024-W01-2T03:04:05Z",
        "20240102T030405000Z",
        "2024-13-02T03:04:05Z",
        "0000-01-02T03:04:05Z",
        "2024-01-02T03:04:05Z\n",
        "\u0662024-01-02T03:04:0Z",
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Mon, 01 Jan 0000 00:00:00 GMT",
        "Tue, 02 Jan 2024 03:04:05",
        "Tue, 02 Jan 2024 03:04:05 UTC",
        "Tue, 02 Jan 24 03:04:05 GMT",
        "Tue, 32 Jan 2024 03:04:05 GMT",
        "Tue, 02 Foo 2024 03:04:05 GMT",
        "Tuesday, 02-Jan-24 03:04:05 GMT",
    ],
)
def test_a_missing_or_odd_time_is_said_to_be_missing(time: str) -> None:
    headers = {**VECTOR_A.headers, "x-acs-date": time}
    with pytest.raises(TimestampMissingError):
        proof_of(replace(VECTOR_A, headers=headers))
    headers = {**VECTOR_D.headers, "date": time}
    with pytest.raises(TimestampMissingError):
        proof_of(replace(VECTOR_D, headers=headers))
    query = tuple(pair for pair in VECTOR_C.query if pair[0] != "Timestamp")
    with pytest.raises(TimestampMissingError):
        proof_of(replace(VECTOR_C, query=(*query, ("Timestamp", time))))


@pytest.mark.parametrize("name", VECTORS)
def test_the_access_key_id_can_be_read_without_believing_it(name: str) -> None:
    assert read_claim(VECTORS[name]).access_key_id == "testid"


def test_a_claim_does_not_show_its_secrets() -> None:
    claim = read_claim(replace(VECTOR_C, query=(*VECTOR_C.query, ("SecurityToken", "tok-en"))))
    assert isinstance(claim.proof, Proof)
    assert claim.proof.security_token == "tok-en"
    for secret in ("tok-en", "aGVsbG8="):
        assert secret not in repr(claim)
        assert quote(secret) not in repr(claim)
