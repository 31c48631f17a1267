"""EncryptionConfiguration files: what is read, and what is refused in upstream's words."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiserver_shim.encryption import config, validation
from apiserver_shim.errors import EncryptionConfigError

HEAD: dict[str, Any] = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "EncryptionConfiguration",
}
KMS: dict[str, Any] = {
    "apiVersion": "v2",
    "name": "ack",
    "endpoint": "unix:///run/kms.sock",
}
KEY = base64.b64encode(b"1" * 32).decode()


def text(*providers: dict[str, Any], resources: list[str] | None = None) -> str:
    rule = {"resources": resources or ["secrets"], "providers": list(providers)}
    return yaml.safe_dump({**HEAD, "resources": [rule]})


def encoded(*providers: dict[str, Any]) -> bytes:
    return text(*providers).encode()


def refused(document: str, *, reload: bool = True) -> str:
    def check() -> None:
        parsed = config.parse(document.encode())
        validation.validate(parsed, reload=reload)
        validation.refuse_masked(parsed)

    with pytest.raises(EncryptionConfigError) as caught:
        check()
    return caught.value.message


def test_acks_configuration_is_read() -> None:
    document = """
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - kms:
      name: grpc-kms-provider
      endpoint: unix:///var/run/kmsplugin/grpc.sock
      cachesize: 1000
      timeout: 3s
  - identity: {}
"""
    configuration = config.parse(document.encode())
    validation.validate(configuration, reload=True)
    (rule,) = configuration.resources
    assert rule.resources == ("secrets",)
    kms, identity = rule.providers
    assert kms.kms == config.KmsProvider(
        api_version="v1",
        name="grpc-kms-provider",
        endpoint="unix:///var/run/kmsplugin/grpc.sock",
        cache_size=1000,
        timeout_ns=3_000_000_000,
    )
    assert identity.named() == ("identity",)


@pytest.mark.parametrize(
    ("duration", "seconds"), [("3s", 3), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("0", 0)]
)
def test_timeouts_are_go_durations(duration: str, seconds: float) -> None:
    configuration = config.parse(encoded({"kms": {**KMS, "timeout": duration}}))
    kms = configuration.resources[0].providers[0].kms
    assert kms is not None
    assert kms.timeout == pytest.approx(seconds)


def test_secrets_are_not_printed() -> None:
    configuration = config.parse(encoded({"aesgcm": {"keys": [{"name": "a", "secret": KEY}]}}))
    assert KEY not in repr(configuration)


@pytest.mark.parametrize(
    "document",
    [
        text({"aesgcm": {"keys": [{"name": "a", "secret": KEY}]}, "identity": {}}),
        text({"aesgcm": {"keys": [{"name": "a", "secret": f"{KEY}!"}]}}),
        text({"aesgcm": {"keys": [{"name": "a", "secret": [KEY]}]}}),
        text({"aesgcm": {"keys": [{"name": "a", "secret": KEY, "more": KEY}]}}),
        text({"secretbox": {"keys": [{"name": "", "secret": KEY}]}}),
        text({"aesgcm": {"keys": [{"name": "a", "secret": KEY}]}}).replace("kind", "kin"),
        text({"aesgcm": {"keys": [{"name": "a", "secret": KEY}]}}).replace("apiVersion", "version"),
    ],
)
def test_what_is_refused_does_not_show_its_keys(document: str) -> None:
    assert KEY not in refused(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "couldn't get version/kind; json parse error: unexpected end of JSON input"),
        ("[]", "json: cannot unmarshal array into Go value of type struct { APIVersion string"),
        ("kind: X\napiVersion: v1\n", 'no kind "X" is registered for version "v1" in scheme'),
        ("kind: X\n", "Object 'apiVersion' is missing in 'REDACTED'"),
        (text({}) + "kind: EncryptionConfiguration\n", 'key "kind" already set in map'),
        (text({"kms": {**KMS, "x": 1}}), 'unknown field "resources[0].providers[0].kms.x"'),
        (text({"identity": {"x": 1}}), 'unknown field "resources[0].providers[0].identity.x"'),
        (text({"kms": {**KMS, "timeout": "3 s"}}), 'time: unknown unit " s" in duration'),
        (
            text({"kms": {**KMS, "cachesize": "1"}}),
            (
                "json: cannot unmarshal string into Go struct field "
                "KMSConfiguration.resources.providers.kms.cachesize of type int32"
            ),
        ),
    ],
)
def test_files_that_are_no_configuration(document: str, message: str) -> None:
    assert message in refused(document)


PROVIDER = "resources[0].providers[0]"


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ({}, "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC,"),
        ({"identity": {}, "kms": KMS}, "more than one provider specified in a single element"),
        (
            {"kms": {**KMS, "name": ""}},
            f"{PROVIDER}.kms.name: Required value: name is a mandatory field for a provider",
        ),
        (
            {"kms": {**KMS, "name": "a:b"}},
            (
                f'{PROVIDER}.kms.name: Invalid value: "a:b": invalid KMS provider name a:b, '
                "must not contain ':'"
            ),
        ),
        (
            {"kms": {**KMS, "endpoint": "tcp://x"}},
            (
                f'{PROVIDER}.kms.endpoint: Invalid value: "tcp://x": '
                'unsupported scheme "tcp" for KMS provider, only unix is supported'
            ),
        ),
        ({"kms": {**KMS, "endpoint": ""}}, "endpoint is a mandatory field for a kms"),
        ({"kms": {**KMS, "apiVersion": "v3"}}, "only v1 and v2 are supported"),
        (
            {"kms": {**KMS, "timeout": "-1s"}},
            f'{PROVIDER}.kms.timeout: Invalid value: "-1s": timeout should be a positive value',
        ),
        (
            {"kms": {**KMS, "cachesize": 5}},
            f"{PROVIDER}.kms.cachesize: Invalid value: 5: cachesize is not supported in v2",
        ),
        (
            {"kms": {**KMS, "apiVersion": "v1", "cachesize": 0}},
            "cachesize should be a positive value, or negative to disable",
        ),
        (
            {"aescbc": {"keys": []}},
            f"{PROVIDER}.aescbc.keys: Required value: at least one keys is required",
        ),
        (
            {"aesgcm": {"keys": [{"name": "a", "secret": "MTIz"}]}},
            (
                f'{PROVIDER}.aesgcm.keys[0].secret: Invalid value: "REDACTED": '
                "secret is not of the expected length, got 3, expected one of [16 24 32]"
            ),
        ),
        ({"aesgcm": {"keys": [{"name": "a", "secret": "!"}]}}, "secrets must be base64 encoded"),
        ({"aesgcm": {"keys": [{"secret": KEY}]}}, "name is a mandatory field for a key"),
        ({"aesgcm": {"keys": [{"name": "a"}]}}, "secret is a mandatory field for a key"),
        (
            {"secretbox": {"keys": [{"name": "a", "secret": "MTIz"}]}},
            "secret is not of the expected length, got 3, expected one of [32]",
        ),
    ],
)
def test_providers_that_upstream_refuses(provider: dict[str, Any], message: str) -> None:
    assert message in refused(text(provider))


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (["Secrets"], "resource name should not contain capital letters"),
        (["*"], "use '*.' to encrypt all the resources from core API group"),
        (
            ["secrets", "secrets"],
            (
                'resources[0].resources: Invalid value: ["secrets","secrets"]: '
                "the same resource cannot be specified multiple times"
            ),
        ),
        (
            ["secrets", "*."],
            (
                'resources[0].resources: Invalid value: ["secrets","*."]: using overlapping '
                "resources such as 'secrets' and '*.' in the same resource list is not allowed "
                "as they will be masked"
            ),
        ),
        (["roles.rbac.authorization.k8s.io", "*.*"], "using overlapping resources such as"),
        (["roles.rbac.authorization.k8s.io", "*.rbac.authorization.k8s.io"], "overlapping"),
        (["secrets.*"], "encrypting the same resource across groups is not supported"),
        (["x.extensions"], "'extensions' group has been removed"),
        (["events.events.k8s.io"], "'*.events.k8s.io' objects are stored using the 'events'"),
        (["*.events.k8s.io"], "'*.events.k8s.io' objects are stored using the 'events' API group"),
        (["serviceipallocations"], "resources which do not have REST API/s cannot be encrypted"),
    ],
)
def test_resources_that_upstream_refuses(resources: list[str], message: str) -> None:
    assert message in refused(text({"identity": {}}, resources=resources))


def test_what_is_missing_is_named() -> None:
    assert refused(yaml.safe_dump(HEAD)) == (
        "resources: Required value: at least one resources is required"
    )
    assert refused(yaml.safe_dump({**HEAD, "resources": [{}]})) == (
        "[resources[0].resources: Required value: at least one resources[0].resources is required, "
        "resources[0].providers: Required value: at least one resources[0].providers is required]"
    )


def test_names_of_v1_need_be_unique_only_with_reload() -> None:
    v1 = {"kms": {**KMS, "apiVersion": "v1"}}
    document = text(v1, v1)
    validation.validate(config.parse(document.encode()), reload=False)
    assert "duplicate KMS provider name ack, names must be unique" in refused(document)
    assert "names must be unique" in refused(text({"kms": KMS}, {"kms": KMS}), reload=False)


def test_a_resource_behind_a_wildcard_is_refused() -> None:
    rules = [
        {"resources": resources, "providers": [{"identity": {}}]}
        for resources in (["*."], ["secrets"])
    ]
    document = yaml.safe_dump({**HEAD, "resources": rules})
    assert refused(document) == 'resource "secrets" is masked by earlier rule "*."'


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.write_text("")
    with pytest.raises(EncryptionConfigError, match="no such file or directory"):
        config.load(missing)
    with pytest.raises(
        EncryptionConfigError, match=r"encryption provider configuration file .+ is"
    ):
        config.load(empty)
