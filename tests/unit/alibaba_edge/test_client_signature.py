"""Requests are signed as Alibaba Cloud's own vectors show."""

import hashlib

import pytest

from alibaba_edge.signing.client import authorization, canonical_query

EMPTY = hashlib.sha256(b"").hexdigest()


def signed(query: str, *, key: tuple[str, str], **headers: str) -> str:
    named = {f"x-acs-{name.replace('_', '-')}": value for name, value in headers.items()}
    host = named.pop("x-acs-host")
    return authorization(
        query,
        {"host": host, "x-acs-content-sha256": EMPTY, **named},
        access_key_id=key[0],
        access_key_secret=key[1],
    )


def test_an_encrypt_request() -> None:
    query = canonical_query(
        {"Plaintext": "aGVsbG8=", "KeyId": "alias/demo", "EncryptionContext": '{"a":"b c"}'}
    )
    assert query == (
        "EncryptionContext=%7B%22a%22%3A%22b%20c%22%7D&KeyId=alias%2Fdemo&Plaintext=aGVsbG8%3D"
    )
    assert signed(
        query,
        key=("testid", "testsecret"),
        host="127.0.0.1:8080",
        action="Encrypt",
        version="2016-01-20",
        date="2024-01-02T03:04:05Z",
        signature_nonce="00000000000000000000000000000001",
    ) == (
        "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-action;x-acs-content-sha256;"
        "x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=59834ab901fd07ebf850130b8aaee7710905fd7bb965f3df495ca82f6fef1ccf"
    )


@pytest.mark.parametrize(
    ("date", "nonce", "signature"),
    [
        (
            "2023-10-26T10:22:32Z",
            "3156853299f313e23d1673dc12e1703d",
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
        ),
        (
            "2023-10-26T09:01:01Z",
            "d410180a5abf7fe235dd9b74aca91fc0",
            "e521358f7776c97df52e6b2891a8bc73026794a071b50c3323388c4e0df64804",
        ),
    ],
)
def test_the_published_vectors(date: str, nonce: str, signature: str) -> None:
    image = "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"
    assert signed(
        canonical_query({"RegionId": "cn-shanghai", "ImageId": image}),
        key=("YourAccessKeyId", "YourAccessKeySecret"),
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        date=date,
        signature_nonce=nonce,
    ).endswith(f"Signature={signature}")


def test_base64_and_unreserved_characters() -> None:
    assert canonical_query({"b": "+/= ~", "a": "-_.", "B": ""}) == "B=&a=-_.&b=%2B%2F%3D%20~"
