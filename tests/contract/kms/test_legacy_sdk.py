"""The unmodified older SDK, aliyun-python-sdk-kms: RPC signatures with HMAC-SHA1."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from aliyunsdkkms.request.v20160120 import (
    CreateKeyRequest,
    DecryptRequest,
    DisableKeyRequest,
    EncryptRequest,
    ListKeysRequest,
)

from alibaba_edge.ports import ROOT_ACCESS_KEY, AccessKey
from kms_emulator.crypto.asymmetric import new_rsa_key, public_der, rsa_encrypt

if TYPE_CHECKING:
    from tests.contract.kms.conftest import World

pytestmark = pytest.mark.parametrize("_server", ["memory"], indirect=True, scope="module")

HELLO = b64encode(b"hello").decode()


class Legacy:
    """The calls of one credential."""

    def __init__(self, world: World, key: AccessKey = ROOT_ACCESS_KEY) -> None:
        self._world = world
        if key.security_token:
            credential = StsTokenCredential(key.access_key_id, key.secret, key.security_token)
            self._client = AcsClient(region_id="cn-hangzhou", credential=credential)
        else:
            self._client = AcsClient(key.access_key_id, key.secret, "cn-hangzhou")

    def send(self, request: Any, **parameters: Any) -> dict[str, Any]:
        request.set_endpoint(self._world.endpoint)
        request.set_protocol_type("http")
        request.set_accept_format("json")
        for name, value in parameters.items():
            getattr(request, f"set_{name}")(value)
        answer: dict[str, Any] = json.loads(self._client.do_action_with_exception(request))
        return answer

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """An operation by its name."""
        module = import_module(f"aliyunsdkkms.request.v20160120.{operation}Request")
        return self.send(getattr(module, f"{operation}Request")(), **parameters)

    def code(self, operation: str, **parameters: Any) -> str:
        """Of the refusal."""
        with pytest.raises(ServerException) as raised:
            self.call(operation, **parameters)
        return str(raised.value.get_error_code())


@pytest.fixture(params=["owner", "session"])
def legacy(request: pytest.FixtureRequest, world: World) -> Legacy:
    return Legacy(world, ROOT_ACCESS_KEY if request.param == "owner" else world.session)


def test_encrypt_decrypt_and_a_disabled_key(world: World) -> None:
    legacy = Legacy(world)
    created = legacy.send(CreateKeyRequest.CreateKeyRequest(), Description="a b+c*~é")
    assert created["KeyMetadata"]["Description"] == "a b+c*~é"
    key_id = created["KeyMetadata"]["KeyId"]
    context = '{"a":"b c"}'
    sealed = legacy.send(
        EncryptRequest.EncryptRequest(), KeyId=key_id, Plaintext=HELLO, EncryptionContext=context
    )
    blob = {"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": context}
    assert legacy.send(DecryptRequest.DecryptRequest(), **blob)["Plaintext"] == HELLO
    legacy.send(DisableKeyRequest.DisableKeyRequest(), KeyId=key_id)
    with pytest.raises(ServerException) as raised:
        legacy.send(DecryptRequest.DecryptRequest(), **blob)
    error = raised.value
    assert (error.get_error_code(), error.get_http_status()) == ("Rejected.Disabled", 409)
    assert error.get_request_id() == world.records[-1].request_id


def test_a_wrong_secret_is_told_apart_from_a_wrong_request(world: World) -> None:
    """python-core compares our string to sign with its own: equal means the secret is wrong."""
    wrong = Legacy(world, replace(ROOT_ACCESS_KEY, secret="guess"))
    with pytest.raises(ServerException) as raised:
        wrong.send(ListKeysRequest.ListKeysRequest())
    assert raised.value.get_error_code() == "InvalidAccessKeySecret"


def test_sts_credentials(world: World) -> None:
    Legacy(world, world.session).send(ListKeysRequest.ListKeysRequest())
    assert world.records[-1].caller == world.session.caller
    with pytest.raises(ServerException) as raised:
        Legacy(world, replace(world.session, security_token="another")).send(
            ListKeysRequest.ListKeysRequest()
        )
    assert raised.value.get_error_code() == "InvalidSecurityToken.MismatchWithAccessKey"


@pytest.mark.parametrize(
    ("method", "where"), [("GET", "query"), ("POST", "query"), ("POST", "body")]
)
def test_a_common_request_may_put_parameters_anywhere(
    world: World, where: str, method: str
) -> None:
    request = CommonRequest(version="2016-01-20", action_name="CreateKey", product="Kms")
    request.set_method(method)
    add = request.add_body_params if where == "body" else request.add_query_param
    add("Description", "common é +")
    key = Legacy(world).send(request)["KeyMetadata"]
    assert key["Description"] == "common é +"


def test_rotation_and_protection(legacy: Legacy) -> None:
    key = legacy.call("CreateKey", EnableAutomaticRotation=True, RotationInterval="8d")
    metadata = key["KeyMetadata"]
    assert (metadata["AutomaticRotation"], metadata["RotationInterval"]) == ("Enabled", "691200s")
    named = {"KeyId": metadata["KeyId"]}
    legacy.call("UpdateRotationPolicy", **named, EnableAutomaticRotation=False)
    assert len(legacy.call("ListKeyVersions", **named)["KeyVersions"]["KeyVersion"]) == 1
    protect = {"ProtectedResourceArn": metadata["Arn"]}
    legacy.call("SetDeletionProtection", **protect, EnableDeletionProtection=True)
    refused = legacy.code("ScheduleKeyDeletion", **named, PendingWindowInDays=7)
    assert refused == "Rejected.DeletionProtection"
    legacy.call("SetDeletionProtection", **protect, EnableDeletionProtection=False)
    legacy.call("ScheduleKeyDeletion", **named, PendingWindowInDays=7)
    legacy.call("CancelKeyDeletion", **named)


def test_imported_material(legacy: Legacy) -> None:
    named = {"KeyId": legacy.call("CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"]}
    algorithm = "RSAES_OAEP_SHA_1"
    parameters = legacy.call(
        "GetParametersForImport", **named, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048"
    )
    wrapped = rsa_encrypt(b64decode(parameters["PublicKey"]), algorithm, b"m" * 32)
    material = b64encode(wrapped).decode()
    token = parameters["ImportToken"]
    legacy.call("ImportKeyMaterial", **named, EncryptedKeyMaterial=material, ImportToken=token)
    assert legacy.call("Encrypt", **named, Plaintext=HELLO)["CiphertextBlob"]
    legacy.call("DeleteKeyMaterial", **named)
    assert legacy.code("Encrypt", **named, Plaintext=HELLO) == "Rejected.PendingImport"


def test_public_keys_and_exports(legacy: Legacy) -> None:
    named = {"KeyId": legacy.call("CreateKey", KeySpec="RSA_2048")["KeyMetadata"]["KeyId"]}
    [version] = legacy.call("ListKeyVersions", **named)["KeyVersions"]["KeyVersion"]
    use = {**named, "KeyVersionId": version["KeyVersionId"]}
    assert "BEGIN PUBLIC KEY" in legacy.call("GetPublicKey", **use)["PublicKey"]
    use["Algorithm"] = "RSAES_OAEP_SHA_256"
    sealed = legacy.call("AsymmetricEncrypt", **use, Plaintext=HELLO)["CiphertextBlob"]
    opened = legacy.call("AsymmetricDecrypt", **use, CiphertextBlob=sealed)
    assert opened["Plaintext"] == HELLO
    plain = {"KeyId": legacy.call("CreateKey")["KeyMetadata"]["KeyId"]}
    wrapping = {
        "PublicKeyBlob": b64encode(public_der(new_rsa_key(2048))).decode(),
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        "WrappingKeySpec": "RSA_2048",
    }
    made = legacy.call("GenerateAndExportDataKey", **plain, **wrapping)
    blob = {"CiphertextBlob": made["CiphertextBlob"]}
    assert legacy.call("ExportDataKey", **blob, **wrapping)["ExportedDataKey"]
    moved = legacy.call("ReEncrypt", **blob, DestinationKeyId=plain["KeyId"])["CiphertextBlob"]
    assert legacy.call("Decrypt", CiphertextBlob=moved)["KeyId"] == plain["KeyId"]


def test_signatures(legacy: Legacy) -> None:
    named = {"KeyId": legacy.call("CreateKey", KeySpec="EC_P256")["KeyMetadata"]["KeyId"]}
    [version] = legacy.call("ListKeyVersions", **named)["KeyVersions"]["KeyVersion"]
    digest = b64encode(bytes(32)).decode()
    use = {**named, "KeyVersionId": version["KeyVersionId"], "Algorithm": "ECDSA_SHA_256"}
    value = legacy.call("AsymmetricSign", **use, Digest=digest)["Value"]
    assert legacy.call("AsymmetricVerify", **use, Digest=digest, Value=value)["Value"] is True


def test_tags_and_policies(legacy: Legacy) -> None:
    key = legacy.call("CreateKey", DKMSInstanceId="kst-acksim-software")["KeyMetadata"]
    named = {"KeyId": key["KeyId"]}
    many = {"ResourceIds": [key["KeyId"]], "ResourceType": "key"}
    legacy.call("TagResource", **named, Tags='[{"TagKey":"a","TagValue":"1"}]')
    legacy.call("TagResources", **many, Tags=[{"Key": "b", "Value": "2"}])
    tags = legacy.call("ListTagResources", **many)["TagResources"]["TagResource"]
    assert [(tag["TagKey"], tag["TagValue"]) for tag in tags] == [("a", "1"), ("b", "2")]
    legacy.call("UntagResource", **named, TagKeys='["a"]')
    legacy.call("UntagResources", **many, TagKeys=["b"])
    assert legacy.call("ListResourceTags", **named)["Tags"]["Tag"] == []
    policy = legacy.call("GetKeyPolicy", **named, PolicyName="default")["Policy"]
    legacy.call("SetKeyPolicy", **named, PolicyName="default", Policy=policy)
    filters = json.dumps([{"Key": "DKMSInstanceId", "Values": ["kst-acksim-software"]}])
    assert legacy.call("ListKeys", Filters=filters)["TotalCount"] > 0
    assert legacy.call("DescribeAccountKmsStatus")["AccountStatus"] == "Enabled"
    assert legacy.code("OpenKmsService") == "Forbidden.Opened"
