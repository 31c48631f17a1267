"""The unmodified older SDK, aliyun-python-sdk-kms: RPC signatures with HMAC-SHA1."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
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

from kms_emulator.ports import ROOT_ACCESS_KEY, AccessKey

if TYPE_CHECKING:
    from tests.contract.kms.conftest import World

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

    def send(self, request: Any, **parameters: str) -> dict[str, Any]:
        request.set_endpoint(self._world.endpoint)
        request.set_protocol_type("http")
        request.set_accept_format("json")
        for name, value in parameters.items():
            getattr(request, f"set_{name}")(value)
        answer: dict[str, Any] = json.loads(self._client.do_action_with_exception(request))
        return answer


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
