"""Rotation, imports, tags, policies, public keys and MACs with the unmodified official SDK."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client
from alibabacloud_tea_openapi.models import Config
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from alibaba_edge.ports import ROOT_ACCESS_KEY, ROOT_ACCOUNT_ID, AccessKey
from kms_emulator.crypto.asymmetric import new_rsa_key, public_der, rsa_decrypt, rsa_encrypt
from kms_emulator.import_token import ALGORITHMS

if TYPE_CHECKING:
    from tests.contract.kms.conftest import World

pytestmark = pytest.mark.parametrize(
    "_server", ["sqlite", "postgresql"], indirect=True, scope="module"
)

HELLO = b64encode(b"hello").decode()
DIGEST = hashlib.sha256(b"hello").digest()
PRIVATE_KEY = new_rsa_key(2048)
SOFTWARE = "kst-acksim-software"
REGION = {"region_id": "cn-hangzhou", "resource_type": "key"}


def text(data: bytes) -> str:
    return b64encode(data).decode()


class Sdk:
    """`sdk("CreateKey", description="d")`: any operation by its name, through the SDK's models."""

    def __init__(self, world: World, key: AccessKey = ROOT_ACCESS_KEY) -> None:
        self._client: Any = Client(
            Config(
                access_key_id=key.access_key_id,
                access_key_secret=key.secret,
                security_token=key.security_token,
                endpoint=world.endpoint,
                protocol="HTTP",
                region_id="cn-hangzhou",
            )
        )

    def __call__(self, operation: str, **parameters: Any) -> Any:
        request = getattr(models, f"{operation}Request", None)
        arguments = (request(**parameters),) if request else ()
        return getattr(self._client, _snake(operation))(*arguments).body

    async def later(self, operation: str, **parameters: Any) -> Any:
        request = getattr(models, f"{operation}Request", None)
        arguments = (request(**parameters),) if request else ()
        return (await getattr(self._client, f"{_snake(operation)}_async")(*arguments)).body

    def create(self, **choices: Any) -> Any:
        return self("CreateKey", **choices).key_metadata

    def version_of(self, key_id: str) -> str:
        listed = self("ListKeyVersions", key_id=key_id).key_versions.key_version
        return str(listed[0].key_version_id)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def refusal(call: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the SDK's own classes
        call()
    error: Any = raised.value
    return error.code, error.data["statusCode"]


@pytest.fixture(params=["owner", "session"])
def sdk(request: pytest.FixtureRequest, world: World) -> Sdk:
    """With a long-lived AccessKey, and with STS credentials."""
    return Sdk(world, ROOT_ACCESS_KEY if request.param == "owner" else world.session)


def test_rotation(sdk: Sdk) -> None:
    key = sdk.create(enable_automatic_rotation=True, rotation_interval="7d")
    assert (key.automatic_rotation, key.rotation_interval) == ("Enabled", "604800s")
    assert key.next_rotation_date == "2026-05-08T12:00:00Z"
    old = sdk("Encrypt", key_id=key.key_id, plaintext=HELLO)
    sdk("UpdateRotationPolicy", key_id=key.key_id, enable_automatic_rotation=False)
    described = sdk("DescribeKey", key_id=key.key_id).key_metadata
    assert described.automatic_rotation == "Disabled"
    assert sdk("Decrypt", ciphertext_blob=old.ciphertext_blob).plaintext == HELLO


def test_old_ciphertext_outlives_rotations(world: World) -> None:
    sdk = Sdk(world)
    key = sdk.create(enable_automatic_rotation=True, rotation_interval="7d")
    old = sdk("Encrypt", key_id=key.key_id, plaintext=HELLO)
    world.time += timedelta(days=15)
    described = sdk("DescribeKey", key_id=key.key_id).key_metadata
    assert described.last_rotation_date == "2026-05-15T12:00:00Z"
    assert described.primary_key_version != key.primary_key_version
    versions = sdk("ListKeyVersions", key_id=key.key_id)
    assert versions.total_count == 3
    new = sdk("Encrypt", key_id=key.key_id, plaintext=HELLO)
    assert new.key_version_id == described.primary_key_version
    opened = sdk("Decrypt", ciphertext_blob=old.ciphertext_blob)
    assert (opened.plaintext, opened.key_version_id) == (HELLO, key.primary_key_version)
    moved = sdk("ReEncrypt", ciphertext_blob=old.ciphertext_blob, destination_key_id=key.key_id)
    assert moved.key_version_id == key.primary_key_version
    assert b64decode(moved.ciphertext_blob).startswith(described.primary_key_version.encode())
    sdk("DisableKey", key_id=key.key_id)
    suspended = sdk("DescribeKey", key_id=key.key_id).key_metadata
    assert suspended.automatic_rotation == "Suspended"


def test_deletion_protection(sdk: Sdk) -> None:
    key = sdk.create()
    sdk(
        "SetDeletionProtection",
        protected_resource_arn=key.arn,
        enable_deletion_protection=True,
        deletion_protection_description="in use",
    )
    described = sdk("DescribeKey", key_id=key.key_id).key_metadata
    assert described.deletion_protection == "Enabled"
    assert described.deletion_protection_description == "in use"
    schedule = {"key_id": key.key_id, "pending_window_in_days": 7}
    refused = refusal(lambda: sdk("ScheduleKeyDeletion", **schedule))
    assert refused == ("Rejected.DeletionProtection", 409)
    sdk("SetDeletionProtection", key_id=key.key_id, enable_deletion_protection=False)
    sdk("ScheduleKeyDeletion", **schedule)
    described = sdk("DescribeKey", key_id=key.key_id).key_metadata
    assert (described.key_state, described.deletion_protection) == ("PendingDeletion", "Disabled")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_imported_material(sdk: Sdk, algorithm: str) -> None:
    key = sdk.create(origin="EXTERNAL")
    assert (key.key_state, key.origin) == ("PendingImport", "EXTERNAL")
    wrapping = {"wrapping_algorithm": algorithm, "wrapping_key_spec": "RSA_2048"}
    parameters = sdk("GetParametersForImport", key_id=key.key_id, **wrapping)
    assert parameters.token_expire_time == "2026-05-02T12:00:00Z"
    wrapped = rsa_encrypt(b64decode(parameters.public_key), algorithm, b"m" * 32)
    give = {
        "key_id": key.key_id,
        "encrypted_key_material": text(wrapped),
        "import_token": parameters.import_token,
    }
    sdk("ImportKeyMaterial", key_material_expire_unix=1893456000, **give)
    described = sdk("DescribeKey", key_id=key.key_id).key_metadata
    assert described.key_state == "Enabled"
    assert described.material_expire_time == "2030-01-01T00:00:00Z"
    sealed = sdk("Encrypt", key_id=key.key_id, plaintext=HELLO)
    sdk("DeleteKeyMaterial", key_id=key.key_id)
    refused = refusal(lambda: sdk("Decrypt", ciphertext_blob=sealed.ciphertext_blob))
    assert refused == ("Rejected.PendingImport", 409)
    sdk("ImportKeyMaterial", **give)
    assert sdk("Decrypt", ciphertext_blob=sealed.ciphertext_blob).plaintext == HELLO
    damaged = {**give, "import_token": text(b"x" * 300)}
    assert refusal(lambda: sdk("ImportKeyMaterial", **damaged)) == ("InvalidImportToken", 400)


@pytest.mark.parametrize(
    "choices",
    [
        {"key_spec": "Aliyun_AES_256"},
        {"key_spec": "Aliyun_AES_192", "protection_level": "HSM"},
        {"key_spec": "Aliyun_AES_128", "dkmsinstance_id": "kst-acksim-hardware"},
        {"key_spec": "Aliyun_SM4", "protection_level": "HSM"},
    ],
)
def test_every_symmetric_spec(sdk: Sdk, choices: dict[str, str]) -> None:
    key = sdk.create(**choices)
    assert key.key_spec == choices["key_spec"]
    assert key.key_id.startswith("key-han") == ("dkmsinstance_id" in choices)
    context = {"a": "b"}
    sealed = sdk("Encrypt", key_id=key.key_id, plaintext=HELLO, encryption_context=context)
    blob = sealed.ciphertext_blob
    assert sdk("Decrypt", ciphertext_blob=blob, encryption_context=context).plaintext == HELLO
    assert refusal(lambda: sdk("Decrypt", ciphertext_blob=blob)) == ("InvalidParameter", 400)


def test_data_keys_for_others(sdk: Sdk) -> None:
    key_id = sdk.create().key_id
    wrapping = {
        "public_key_blob": text(public_der(PRIVATE_KEY)),
        "wrapping_algorithm": "RSAES_OAEP_SHA_256",
        "wrapping_key_spec": "RSA_2048",
    }
    context = {"for": "others"}
    made = sdk("GenerateAndExportDataKey", key_id=key_id, encryption_context=context, **wrapping)
    blob = made.ciphertext_blob
    data_key = sdk("Decrypt", ciphertext_blob=blob, encryption_context=context).plaintext
    again = sdk("ExportDataKey", ciphertext_blob=blob, encryption_context=context, **wrapping)
    for exported in (made.exported_data_key, again.exported_data_key):
        opened = rsa_decrypt(PRIVATE_KEY, "RSAES_OAEP_SHA_256", b64decode(exported))
        assert opened == b64decode(data_key)
    other_size = text(public_der(new_rsa_key(3072)))
    for damage in (
        {"public_key_blob": HELLO},
        {"public_key_blob": other_size},
        {"number_of_bytes": 191},
    ):
        call = {"key_id": key_id, **wrapping, **damage}
        refused = refusal(lambda: sdk("GenerateAndExportDataKey", **call))  # noqa: B023
        assert refused == ("InvalidParameter", 400)


def test_re_encrypting_asks_for_both_keys(world: World) -> None:
    sdk, alice = Sdk(world), Sdk(world, world.alice)
    source, target = sdk.create(), sdk.create()
    sealed = sdk(
        "Encrypt", key_id=source.key_id, plaintext=HELLO, encryption_context={"at": "source"}
    )
    call = {
        "ciphertext_blob": sealed.ciphertext_blob,
        "source_encryption_context": {"at": "source"},
        "destination_key_id": target.key_id,
        "destination_encryption_context": {"at": "target"},
    }
    moved = alice("ReEncrypt", **call)
    assert (moved.key_id, moved.key_version_id) == (source.key_id, source.primary_key_version)
    opened = sdk(
        "Decrypt", ciphertext_blob=moved.ciphertext_blob, encryption_context={"at": "target"}
    )
    assert (opened.plaintext, opened.key_id) == (HELLO, target.key_id)
    for action in ("kms:ReEncryptFrom", "kms:ReEncryptTo"):
        world.refused = {("alice", action)}
        refused = refusal(lambda: alice("ReEncrypt", **call))
        assert refused == ("Forbidden.NoPermission", 403)
    world.refused.clear()
    sdk("DisableKey", key_id=target.key_id)
    assert refusal(lambda: alice("ReEncrypt", **call)) == ("Rejected.Disabled", 409)


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_public_key_encryption(world: World, spec: str) -> None:
    sdk = Sdk(world)
    key = sdk.create(key_spec=spec)
    assert (key.key_usage, key.primary_key_version) == ("ENCRYPT/DECRYPT", None)
    use = {"key_id": key.key_id, "key_version_id": sdk.version_of(key.key_id)}
    public = load_pem_public_key(sdk("GetPublicKey", **use).public_key.encode())
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == int(spec[-4:])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    foreign = text(public.encrypt(b"hello", oaep))
    use["algorithm"] = "RSAES_OAEP_SHA_256"
    own = sdk("AsymmetricEncrypt", plaintext=HELLO, **use).ciphertext_blob
    for ciphertext in (foreign, own):
        assert sdk("AsymmetricDecrypt", ciphertext_blob=ciphertext, **use).plaintext == HELLO
    target = sdk.create().key_id
    moved = sdk(
        "ReEncrypt",
        ciphertext_blob=own,
        source_key_id=key.key_id,
        source_key_version_id=use["key_version_id"],
        source_encryption_algorithm=use["algorithm"],
        destination_key_id=target,
    )
    assert sdk("Decrypt", ciphertext_blob=moved.ciphertext_blob).plaintext == HELLO
    refused = refusal(lambda: sdk("Encrypt", key_id=key.key_id, plaintext=HELLO))
    assert refused == ("Rejected.UnsupportedOperation", 400)
    longer = text(b"x" * (public.key_size // 8 - 65))
    refused = refusal(lambda: sdk("AsymmetricEncrypt", plaintext=longer, **use))
    assert refused == ("InvalidParameter", 400)
    elsewhere = {**use, "key_version_id": "none"}
    refused = refusal(lambda: sdk("AsymmetricEncrypt", plaintext=HELLO, **elsewhere))
    assert refused == ("Forbidden.KeyVersionNotFound", 404)


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("RSA_2048", "RSA_PSS_SHA_256"),
        ("RSA_2048", "RSA_PKCS1_SHA_256"),
        ("EC_P256", "ECDSA_SHA_256"),
        ("EC_P256K", "ECDSA_SHA_256"),
    ],
)
def test_signatures(sdk: Sdk, spec: str, algorithm: str) -> None:
    key = sdk.create(key_spec=spec, key_usage="SIGN/VERIFY")
    use = {"key_id": key.key_id, "key_version_id": sdk.version_of(key.key_id)}
    public = load_pem_public_key(sdk("GetPublicKey", **use).public_key.encode())
    use |= {"algorithm": algorithm, "digest": text(DIGEST)}
    value = sdk("AsymmetricSign", **use).value
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(b64decode(value), b"hello", ec.ECDSA(hashes.SHA256()))
    assert sdk("AsymmetricVerify", value=value, **use).value is True
    if spec == "RSA_2048":  # made for signing, and for nothing else
        cipher = {**use, "algorithm": "RSAES_OAEP_SHA_256", "plaintext": HELLO}
        del cipher["digest"]
        refused = refusal(lambda: sdk("AsymmetricEncrypt", **cipher))
        assert refused == ("Rejected.UnsupportedOperation", 400)
    changed = {**use, "digest": text(bytes(32))}
    assert sdk("AsymmetricVerify", value=value, **changed).value is False
    for damage in ({"digest": HELLO}, {"algorithm": "SM2DSA"}):
        call = {**use, **damage}
        refused = refusal(lambda: sdk("AsymmetricSign", **call))  # noqa: B023
        assert refused == ("InvalidParameter", 400)


def test_new_versions_of_an_asymmetric_key(world: World) -> None:
    sdk = Sdk(world)
    key = sdk.create(key_spec="EC_P256")
    refused = refusal(lambda: sdk("CreateKeyVersion", key_id=key.key_id))
    assert refused == ("Rejected.UnsupportedOperation", 400)
    first = sdk.version_of(key.key_id)
    world.time += timedelta(days=7)
    second = sdk("CreateKeyVersion", key_id=key.key_id).key_version.key_version_id
    assert sdk.version_of(key.key_id) == second != first
    use = {"key_id": key.key_id, "algorithm": "ECDSA_SHA_256", "digest": text(DIGEST)}
    value = sdk("AsymmetricSign", key_version_id=first, **use).value
    assert sdk("AsymmetricVerify", key_version_id=first, value=value, **use).value is True
    assert sdk("AsymmetricVerify", key_version_id=second, value=value, **use).value is False


@pytest.mark.parametrize("spec", ["HMAC_SHA_224", "HMAC_SHA_512", "HMAC_SM3"])
def test_macs(sdk: Sdk, spec: str) -> None:
    key = sdk.create(key_spec=spec, dkmsinstance_id=SOFTWARE)
    assert key.key_usage == "GENERATE/VERIFY_MAC"
    use = {"key_id": key.key_id, "algorithm": spec, "message": HELLO}
    made = sdk("GenerateMac", **use)
    assert made.algorithm == spec
    assert sdk("VerifyMac", mac=made.mac, **use).value is True
    other = {**use, "message": text(b"Hello")}
    assert sdk("VerifyMac", mac=made.mac, **other).value is False


def test_tags_of_both_generations(sdk: Sdk, world: World) -> None:
    key = sdk.create(tags='[{"TagKey":"team","TagValue":"a"}]')
    other = sdk.create()
    sdk("TagResource", key_id=key.key_id, tags='[{"TagKey":"é","TagValue":"1"}]')
    tag = models.TagResourcesRequestTag
    ids = [key.key_id, other.key_id]
    sdk("TagResources", resource_id=ids, tag=[tag(key="app", value="web")], **REGION)
    assert world.records[-1].parameters["ResourceId.2"] == other.key_id
    listed = sdk("ListResourceTags", key_id=key.key_id).tags.tag
    assert [(t.tag_key, t.tag_value) for t in listed] == [
        ("app", "web"),
        ("team", "a"),
        ("é", "1"),
    ]
    wanted = models.ListTagResourcesRequestTag(key="team", value="a")
    found = sdk("ListTagResources", resource_id=ids, tag=[wanted], **REGION)
    resources = found.tag_resources.tag_resource
    assert {t.resource_id for t in resources} == {key.key_id}
    assert (len(resources), found.next_token) == (3, "")
    sdk("UntagResource", key_id=key.key_id, tag_keys='["team"]')
    sdk("UntagResources", resource_id=[key.key_id], tag_key=["é"], **REGION)
    assert [t.tag_key for t in sdk("ListResourceTags", key_id=key.key_id).tags.tag] == ["app"]
    sdk("UntagResources", resource_id=ids, all=True, **REGION)
    assert sdk("ListTagResources", resource_id=ids, **REGION).tag_resources.tag_resource == []


def test_tags_beyond_a_page(world: World) -> None:
    sdk = Sdk(world)
    tags = json.dumps([{"TagKey": f"t{n}", "TagValue": "v"} for n in range(20)])
    ids = [sdk.create(tags=tags).key_id for _ in range(11)]
    first = sdk("ListTagResources", resource_id=ids, **REGION)
    rest = sdk("ListTagResources", resource_id=ids, next_token=first.next_token, **REGION)
    pages = (first.tag_resources.tag_resource, rest.tag_resources.tag_resource)
    assert [len(page) for page in pages] == [200, 20]
    assert len({(t.resource_id, t.tag_key) for page in pages for t in page}) == 220
    assert (first.next_token, rest.next_token) == ("200", "")
    refused = refusal(lambda: sdk("ListTagResources", next_token="99999", **REGION))
    assert refused == ("InvalidParameter", 400)


def test_a_policy_may_ask_for_a_tag(world: World) -> None:
    sdk, stranger = Sdk(world), Sdk(world, world.stranger)
    key = sdk.create(dkmsinstance_id=SOFTWARE)
    tagged = {
        "Effect": "Allow",
        "Principal": {"RAM": "acs:ram::1000000000000002:*"},
        "Action": "kms:Encrypt",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:tag/shared": "yes"}},
    }
    policy = json.dumps({"Version": "1", "Statement": [tagged]})
    sdk("SetKeyPolicy", key_id=key.key_id, policy=policy)
    use = {"key_id": key.arn, "plaintext": HELLO}
    assert refusal(lambda: stranger("Encrypt", **use)) == ("Forbidden.NoPermission", 403)
    sdk("TagResource", key_id=key.key_id, tags='[{"TagKey":"shared","TagValue":"yes"}]')
    assert stranger("Encrypt", **use).key_id == key.key_id


def test_filters(sdk: Sdk) -> None:
    key = sdk.create(tags='[{"TagKey":"only","TagValue":"here"}]', key_spec="EC_P256")
    filters = [
        {"Key": "KeySpec", "Values": ["EC_P256", "EC_P256K"]},
        {"Key": "KeyState", "Values": ["Enabled"]},
        {"Key": "keyId", "Values": [key.key_id]},
    ]
    listed = sdk("ListKeys", filters=json.dumps(filters))
    assert [k.key_id for k in listed.keys.key] == [key.key_id]
    assert listed.total_count == 1


def test_key_policies_let_other_accounts_in(world: World) -> None:
    sdk, stranger = Sdk(world), Sdk(world, world.stranger)
    key = sdk.create(dkmsinstance_id=SOFTWARE)
    assert key.dkmsinstance_id == SOFTWARE
    default = json.loads(sdk("GetKeyPolicy", key_id=key.key_id, policy_name="default").policy)
    [statement] = default["Statement"]
    assert statement["Principal"] == {"RAM": [f"acs:ram::{ROOT_ACCOUNT_ID}:*"]}
    use = {"key_id": key.arn, "plaintext": HELLO}
    assert refusal(lambda: stranger("Encrypt", **use)) == ("Forbidden.KeyNotFound", 404)
    guest = {
        "Effect": "Allow",
        "Principal": {"RAM": ["acs:ram::1000000000000002:*"]},
        "Action": ["kms:Encrypt", "kms:Decrypt"],
        "Resource": ["*"],
    }
    policy = json.dumps({"Version": "1", "Statement": [statement, guest]})
    sdk("SetKeyPolicy", key_id=key.key_id, policy_name="default", policy=policy)
    assert sdk("GetKeyPolicy", key_id=key.key_id).policy == policy
    sealed = stranger("Encrypt", **use)
    assert stranger("Decrypt", ciphertext_blob=sealed.ciphertext_blob).plaintext == HELLO
    assert world.records[-1].caller.account_id == "1000000000000002"
    assert sdk("Decrypt", ciphertext_blob=sealed.ciphertext_blob).plaintext == HELLO
    refused = refusal(lambda: stranger("DescribeKey", key_id=key.arn))
    assert refused == ("Forbidden.NoPermission", 403)
    world.refused = {("root", "kms:Encrypt")}
    assert refusal(lambda: stranger("Encrypt", **use)) == ("Forbidden.NoPermission", 403)
    assert sdk("Encrypt", **use).key_id == key.key_id, "the owner needs only one of both"
    world.refused.clear()
    denial = json.dumps({"Version": "1", "Statement": [statement, {**statement, "Effect": "Deny"}]})
    sdk("SetKeyPolicy", key_id=key.key_id, policy=denial)
    assert refusal(lambda: sdk("Encrypt", **use)) == ("Forbidden.NoPermission", 403)
    plain = sdk.create().key_id
    refused = refusal(lambda: sdk("GetKeyPolicy", key_id=plain))
    assert refused == ("Rejected.UnsupportedOperation", 400)


def test_the_service_itself(sdk: Sdk) -> None:
    assert sdk("DescribeAccountKmsStatus").account_status == "Enabled"
    assert refusal(lambda: sdk("OpenKmsService")) == ("Forbidden.Opened", 400)
    assert sdk("ListPolicies").total_count == 0


async def test_the_async_half_of_the_sdk(world: World) -> None:
    sdk = Sdk(world, world.session)
    key = (await sdk.later("CreateKey", description="async")).key_metadata
    context = {"a": "b"}
    sealed = await sdk.later(
        "Encrypt", key_id=key.key_id, plaintext=HELLO, encryption_context=context
    )
    blob = {"ciphertext_blob": sealed.ciphertext_blob, "encryption_context": context}
    assert (await sdk.later("Decrypt", **blob)).plaintext == HELLO
    made = await sdk.later("GenerateDataKey", key_id=key.key_id, number_of_bytes=24)
    assert len(b64decode(made.plaintext)) == 24
    signer = (await sdk.later("CreateKey", key_spec="EC_P256")).key_metadata
    versions = await sdk.later("ListKeyVersions", key_id=signer.key_id)
    use = {
        "key_id": signer.key_id,
        "key_version_id": versions.key_versions.key_version[0].key_version_id,
        "algorithm": "ECDSA_SHA_256",
        "digest": text(DIGEST),
    }
    value = (await sdk.later("AsymmetricSign", **use)).value
    assert (await sdk.later("AsymmetricVerify", value=value, **use)).value is True
    await sdk.later("TagResource", key_id=key.key_id, tags='[{"TagKey":"a","TagValue":"b"}]')
    await sdk.later("DisableKey", key_id=key.key_id)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the SDK's own classes
        await sdk.later("Decrypt", **blob)
    error: Any = raised.value
    assert (error.code, error.data["statusCode"]) == ("Rejected.Disabled", 409)
