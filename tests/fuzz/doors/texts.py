"""Texts that are read in process: YAML, EncryptionConfigurations, policies."""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any, ClassVar

from acksim.account.ram.documents import POLICY_LIMIT, policy_document, trust_document
from acksim.account.ram.evaluation import NamedDocument, PolicySet
from alibaba_edge.errors import ApiError
from alibaba_edge.ports import Decision
from apiserver_shim import yaml_json
from apiserver_shim.encryption import config
from apiserver_shim.encryption.validation import validate
from apiserver_shim.errors import EncryptionConfigError, YamlError
from kms_emulator.policies import read_key_policy
from tests.fuzz.door import (
    ODD_TEXTS,
    Case,
    ViolationError,
    altered,
    as_bytes,
    as_text,
    mutated,
    pick,
)
from tests.fuzz.lab import Lab


class InProcess:
    """A door that is a function: no server, one input after another."""

    alone: ClassVar[bool] = True
    in_process: ClassVar[bool] = True

    async def open(self, lab: Lab) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Nothing to check."""


_YAML = (
    b"a: 1\nb: [x, 'y', \"z\"]\nc: {d: e, f: ~}\n",
    b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\ndata:\n  k: YQ==\n",
    b"x: &a [1, 2]\ny: *a\nz:\n  <<: {q: 1}\n  w: |\n    text\n    more\n",
    b"- 12:30\n- 0x1F\n- 1e3\n- yes\n- .inf\n- !!binary YQ==\n- ? k\n  : v\n",
    b"%YAML 1.1\n---\na: >-\n  folded\n  text\n...\n---\nb: 2\n",
)
_YAML_PIECES = (
    b"{", b"[", b"- ", b"? ", b": ", b"&a ", b"*a", b"!!", b"!t ", b"|", b">", b"'", b'"', b"#",
    b"---\n", b"...\n", b"\t", b"\xff", b"\xef\xbb\xbf", b"<<: *a\n", b"\r", b"\x85", b"@", b"`",
)  # fmt: skip


class YamlDoor(InProcess):
    """Any bytes are JSON's values or YamlError, within two seconds."""

    name: ClassVar[str] = "yaml"
    share: ClassVar[int] = 20

    def new_case(self, random: Random) -> Case:
        data = mutated(random, pick(random, _YAML))
        if random.random() < 0.5:
            at = int(random.random() * (len(data) + 1))
            times = pick(random, (1, 2, 10, 2000)) if random.random() < 0.1 else 1
            data = data[:at] + pick(random, _YAML_PIECES) * times + data[at:]
        return {"text": as_text(data)}

    async def attempt(self, case: Case, worker: int) -> str:
        try:
            value = yaml_json.to_json(as_bytes(case["text"])).value
        except YamlError:
            return "refused"
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ViolationError(f"what was read is no JSON: {error}") from None
        return "read"


_CONFIGURATION = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "EncryptionConfiguration",
    "resources": [
        {
            "resources": ["secrets"],
            "providers": [
                {
                    "kms": {
                        "apiVersion": "v2",
                        "name": "a",
                        "endpoint": "unix:///tmp/a.sock",
                        "timeout": "3s",
                    }
                },
                {
                    "kms": {
                        "apiVersion": "v1",
                        "name": "b",
                        "endpoint": "unix:///tmp/b.sock",
                        "cachesize": 100,
                    }
                },
                {"aescbc": {"keys": [{"name": "k", "secret": "MTIzNDU2Nzg5MDEyMzQ1Ng=="}]}},
                {"identity": {}},
            ],
        }
    ],
}
_CONFIGURATION_TEXT = (
    b"apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n"
    b"  - resources: [secrets]\n    providers:\n      - secretbox:\n          keys:\n"
    b"            - name: k\n              secret: MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=\n"
    b"      - identity: {}\n"
)


class EncryptionConfigDoor(InProcess):
    """Any file is a configuration or EncryptionConfigError: never another exception."""

    name: ClassVar[str] = "encryption-config"
    share: ClassVar[int] = 10

    def new_case(self, random: Random) -> Case:
        if random.random() < 0.5:
            return {"text": as_text(mutated(random, _CONFIGURATION_TEXT))}
        text = json.dumps(altered(random, _CONFIGURATION))
        return {"text": as_text(text.encode("utf-8", "surrogatepass"))}

    async def attempt(self, case: Case, worker: int) -> str:
        try:
            validate(config.parse(as_bytes(case["text"])), reload=False)
        except EncryptionConfigError:
            return "refused"
        return "loaded"


_STATEMENT: dict[str, Any] = {
    "Effect": "Deny",
    "Action": ["kms:Decrypt", "kms:*"],
    "Resource": ["acs:kms:*:1000000000000001:key/*"],
    "Condition": {
        "NotIpAddress": {"acs:SourceIp": ["10.0.0.0/8", "192.168.0.1"]},
        "DateGreaterThan": {"acs:CurrentTime": "2020-01-01T00:00:00Z"},
        "Bool": {"acs:SecureTransport": "false"},
        "StringLike": {"acs:SourceIp": ["203.*"]},
    },
}
_ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_POLICIES: dict[str, Any] = {
    "permission": {"Version": "1", "Statement": [_ALLOW, _STATEMENT]},
    "trust": {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"RAM": ["acs:ram::1000000000000001:root"]},
                "Condition": {"StringEquals": {"sts:ExternalId": "x"}},
            }
        ],
    },
    "key": {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"RAM": ["acs:ram::1000000000000001:*"]},
                "Action": ["kms:*"],
                "Resource": ["*"],
            },
            {
                "Effect": "Deny",
                "Principal": {"RAM": ["acs:ram::1000000000000001:user/x"]},
                "Action": ["kms:Decrypt"],
                "Resource": ["*"],
                "Condition": {"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}},
            },
        ],
    },
}
_CONTEXT = {
    "acs:SourceIp": "203.0.113.9",
    "acs:CurrentTime": f"{datetime(2026, 1, 1, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}",
    "acs:SecureTransport": "false",
    "acs:MFAPresent": "false",
}


class PolicyDoor(InProcess):
    """A document is read or refused by its API's error; a Deny that is not understood denies.

    In a case of the kind `condition` everything is allowed and one call denied, under conditions
    that all hold but for one alteration. If that makes the policy one that may not be set, then a
    store that holds it all the same must deny the call.
    """

    name: ClassVar[str] = "policies"
    share: ClassVar[int] = 15

    def new_case(self, random: Random) -> Case:
        if random.random() < 0.4:
            deny = {**_STATEMENT, "Condition": altered(random, _STATEMENT["Condition"])}
            document = {"Version": "1", "Statement": [_ALLOW, deny]}
            return {"kind": "condition", "text": json.dumps(document)}
        kind = pick(random, list(_POLICIES))
        document = altered(random, _POLICIES[kind])
        text = json.dumps(document)
        if random.random() < 0.3:
            text = as_text(mutated(random, text.encode("utf-8", "surrogatepass")))
        elif random.random() < 0.1:
            text = text.replace('"Deny"', f'"Deny", "Effect": "{pick(random, ODD_TEXTS)[:50]}"')
        return {"kind": kind, "text": text}

    async def attempt(self, case: Case, worker: int) -> str:
        kind, text = case["kind"], case["text"]
        try:
            match kind:
                case "permission" | "condition":
                    faults = policy_document(text).faults
                case "trust":
                    faults = trust_document(text).faults
                case _:
                    faults = read_key_policy(text).faults
            taken = not faults
        except ApiError:
            taken = False
        if kind == "condition" and not taken and len(text) <= POLICY_LIMIT:
            policies = PolicySet([NamedDocument("Custom", "p", "v1", text, "u")])
            verdict = policies.decide(
                "kms:Decrypt", "acs:kms:cn-hangzhou:1000000000000001:key/k", _CONTEXT
            )
            if verdict.decision is Decision.ALLOW:
                raise ViolationError("a policy that may not be set allows, once it is stored")
        return "taken" if taken else "refused"
