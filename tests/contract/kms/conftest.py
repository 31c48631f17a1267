"""A KMS on a real socket, with several callers, a movable clock and a log one can read."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from alibaba_edge.gateway.rendering import refusal
from alibaba_edge.ports import (
    ROOT_ACCESS_KEY,
    ROOT_ACCOUNT_ID,
    AccessKey,
    Caller,
    CallRecord,
    Decision,
    KnownAccessKeys,
)
from bounded_http.server import BoundedServer
from kms_emulator.app import KmsSettings, create_app, open_store
from kms_emulator.crypto.asymmetric import new_rsa_key, public_der
from kms_emulator.store import KeyStore, MemoryKeyStore

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

ALICE = AccessKey(
    "LTAIalice",
    "alice-secret",
    Caller(
        account_id=ROOT_ACCOUNT_ID,
        access_key_id="LTAIalice",
        kind="ram-user",
        principal_id="200000000000000001",
        user_name="alice",
        arn=f"acs:ram::{ROOT_ACCOUNT_ID}:user/alice",
    ),
)
SESSION = AccessKey(
    "STS.session",
    "session-secret",
    Caller(
        account_id=ROOT_ACCOUNT_ID,
        access_key_id="STS.session",
        kind="assumed-role",
        principal_id="300000000000000001:s1",
        user_name="aliyuncsmanagedsecurityrole:s1",
        arn=f"acs:sts::{ROOT_ACCOUNT_ID}:assumed-role/aliyuncsmanagedsecurityrole/s1",
        session_created=START,
    ),
    security_token="token-of-the-session",
    expires_at=START + timedelta(hours=1),
)
STRANGER = AccessKey(
    "LTAIother",
    "other-secret",
    replace(ROOT_ACCESS_KEY.caller, account_id="1000000000000002", access_key_id="LTAIother"),
)
INACTIVE = replace(ALICE, access_key_id="LTAIoff", active=False)


@dataclass
class Reply:
    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str | None:
        return self.body.get("Code")


HELLO = b64encode(b"hello").decode()
SHA = b64encode(bytes(32)).decode()
PUBLIC_KEY = b64encode(public_der(new_rsa_key(2048))).decode()


@dataclass
class Subject:
    """A key, and everything that operations want to know about it."""

    key_id: str
    version_id: str
    alias: str
    blob: str = ""
    token: str = ""
    wrapped: str = ""

    def parameters(self, operation: str) -> dict[str, str]:
        version = {"KeyVersionId": self.version_id}
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        export = {"PublicKeyBlob": PUBLIC_KEY, **wrapping}
        where = {"RegionId": "cn-hangzhou", "ResourceType": "key"}
        oaep = {**version, "Algorithm": "RSAES_OAEP_SHA_256"}
        ecdsa = {**version, "Algorithm": "ECDSA_SHA_256", "Digest": SHA}
        mac = {"Algorithm": "HMAC_SHA_256", "Message": HELLO}
        owner = [f"acs:ram::{ROOT_ACCOUNT_ID}:*"]
        policy = {
            "Version": "1",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"RAM": owner},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
        blob = {"CiphertextBlob": self.blob}
        return {"KeyId": self.key_id} | {
            "Decrypt": blob,
            "ExportDataKey": {**blob, **export},
            "GenerateAndExportDataKey": export,
            "ReEncrypt": {**blob, "DestinationKeyId": self.key_id},
            "Encrypt": {"Plaintext": HELLO},
            "AsymmetricEncrypt": {**oaep, "Plaintext": HELLO},
            "AsymmetricDecrypt": {**oaep, **blob},
            "AsymmetricSign": ecdsa,
            "AsymmetricVerify": {**ecdsa, "Value": SHA},
            "GetPublicKey": version,
            "DescribeKeyVersion": version,
            "GenerateMac": mac,
            "VerifyMac": {**mac, "Mac": SHA},
            "ScheduleKeyDeletion": {"PendingWindowInDays": "7"},
            "SetDeletionProtection": {"EnableDeletionProtection": "True"},
            "CreateAlias": {"AliasName": f"alias/{uuid4()}"},
            "UpdateAlias": {"AliasName": self.alias},
            "DeleteAlias": {"AliasName": self.alias},
            "UpdateKeyDescription": {"Description": "new"},
            "UpdateRotationPolicy": {"EnableAutomaticRotation": "False"},
            "GetParametersForImport": wrapping,
            "ImportKeyMaterial": {
                "EncryptedKeyMaterial": self.wrapped,
                "ImportToken": self.token,
            },
            "TagResource": {"Tags": '[{"TagKey":"a","TagValue":"b"}]'},
            "UntagResource": {"TagKeys": '["a"]'},
            "TagResources": {**where, "ResourceId.1": self.key_id, "Tag.1.Key": "a"},
            "UntagResources": {**where, "ResourceId.1": self.key_id, "TagKey.1": "a"},
            "ListTagResources": {**where, "ResourceId.1": self.key_id},
            "SetKeyPolicy": {"Policy": json.dumps(policy)},
        }.get(operation, {})


@dataclass
class World:
    """The emulator and everything it asks of its surroundings."""

    start: ClassVar[datetime] = START
    alice: ClassVar[AccessKey] = ALICE
    session: ClassVar[AccessKey] = SESSION
    stranger: ClassVar[AccessKey] = STRANGER
    inactive: ClassVar[AccessKey] = INACTIVE
    subject: ClassVar[type[Subject]] = Subject

    store: KeyStore
    client: httpx.Client
    url: str = ""
    time: datetime = START
    records: list[CallRecord] = field(default_factory=list)
    refused: set[tuple[str, str]] = field(default_factory=set)  # user name, action

    @property
    def endpoint(self) -> str:
        return self.url.removeprefix("http://")

    async def record(self, call: CallRecord, /) -> None:
        self.records.append(call)

    async def decide(
        self, caller: Caller, action: str, /, *, resource: str, context: Mapping[str, str]
    ) -> Decision:
        refused = (caller.user_name, action) in self.refused
        return Decision.IMPLICIT_DENY if refused else Decision.ALLOW

    def now(self) -> datetime:
        return self.time

    def call(self, action: str, key: AccessKey = ROOT_ACCESS_KEY, /, **parameters: str) -> Reply:
        return self.send(self.signed(action, key, parameters))

    def signed(self, action: str, key: AccessKey, parameters: Mapping[str, str]) -> httpx.Request:
        """Signed with ACS3-HMAC-SHA256, written from the public description alone."""
        pairs = sorted(parameters.items())
        query = "&".join(f"{quote(n, safe='~')}={quote(v, safe='~')}" for n, v in pairs)
        headers = {
            "host": self.endpoint,
            "x-acs-action": action,
            "x-acs-content-sha256": EMPTY_SHA256,
            "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": uuid4().hex,
            "x-acs-version": "2016-01-20",
        }
        if key.security_token:
            headers["x-acs-security-token"] = key.security_token
        names = ";".join(sorted(headers))
        lines = ["POST", "/", query, *(f"{n}:{headers[n]}" for n in sorted(headers)), "", names]
        digest = hashlib.sha256("\n".join([*lines, EMPTY_SHA256]).encode()).hexdigest()
        text = f"ACS3-HMAC-SHA256\n{digest}"
        signature = hmac.new(key.secret.encode(), text.encode(), "sha256").hexdigest()
        headers["authorization"] = (
            f"ACS3-HMAC-SHA256 Credential={key.access_key_id},"
            f"SignedHeaders={names},Signature={signature}"
        )
        return httpx.Request("POST", f"http://{self.endpoint}/?{query}", headers=headers)

    def send(self, request: httpx.Request) -> Reply:
        answer = self.client.send(request)
        return Reply(answer.status_code, answer.json())

    def create_key(self, key: AccessKey = ROOT_ACCESS_KEY, /, **parameters: str) -> str:
        return str(self.call("CreateKey", key, **parameters).body["KeyMetadata"]["KeyId"])


@contextmanager
def running(store: KeyStore) -> Iterator[World]:
    client = httpx.Client(trust_env=False)
    world = World(store, client)
    app = create_app(
        KmsSettings(),
        store=store,
        identify=KnownAccessKeys(ROOT_ACCESS_KEY, ALICE, SESSION, STRANGER, INACTIVE),
        authorizer=world,
        call_log=world,
        now=world.now,
    )
    server = BoundedServer(app, refusal=refusal)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        world.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield world
        finally:
            client.close()
            server.should_exit = True
            thread.join()


StoreMaker = Callable[[Path], KeyStore]


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgresql"])
def _server(
    request: pytest.FixtureRequest, tmp_path_factory: Any, postgresql: Callable[[], str]
) -> Iterator[World]:
    if request.param == "memory":
        store: KeyStore = MemoryKeyStore()
    elif request.param == "postgresql":
        store = open_store(postgresql())
    else:
        store = open_store(tmp_path_factory.mktemp("kms") / "kms.db")
    with running(store) as world:
        yield world


@pytest.fixture
def world(_server: World) -> World:
    """One server a module, over each store; every test starts at the same time of day."""
    _server.time = START
    _server.records.clear()
    _server.refused.clear()
    return _server
