"""The unmodified official SDK, alibabacloud-kms20160120, with its default and its v4 signatures."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client
from alibabacloud_tea_openapi.models import Config

from alibaba_edge.ports import ROOT_ACCESS_KEY, AccessKey

if TYPE_CHECKING:
    from tests.contract.kms.conftest import World

HELLO = b64encode(b"hello").decode()


def sdk(world: World, key: AccessKey = ROOT_ACCESS_KEY, **config: str) -> Any:
    return Client(
        Config(
            access_key_id=key.access_key_id,
            access_key_secret=key.secret,
            security_token=key.security_token,
            endpoint=world.endpoint,
            protocol="HTTP",
            region_id="cn-hangzhou",
            **config,
        )
    )


def refusal(call: Callable[[], object]) -> Any:
    """The SDK's own exception: e.code, e.message, e.data."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - its class depends on the signature
        call()
    return raised.value


@pytest.fixture(params=["ACS3", "v4", "v2"])
def client(request: pytest.FixtureRequest, world: World) -> Any:
    if request.param == "v4":
        return sdk(world, signature_version="v4")
    if request.param == "v2":
        return sdk(world, signature_algorithm="v2")
    return sdk(world)


def test_a_keys_life(client: Any) -> None:
    created = client.create_key(models.CreateKeyRequest(description="Zürich & co"))
    key = created.body.key_metadata
    assert created.body.request_id
    assert (key.key_state, key.description) == ("Enabled", "Zürich & co")
    assert key.arn == f"acs:kms:cn-hangzhou:1000000000000001:key/{key.key_id}"

    context = {"a": "b c", "é": "=&+*~/"}
    sealed = client.encrypt(
        models.EncryptRequest(key_id=key.key_id, plaintext=HELLO, encryption_context=context)
    ).body
    assert sealed.key_id == key.key_id
    assert sealed.key_version_id == key.primary_key_version
    assert b64decode(sealed.ciphertext_blob).startswith(key.primary_key_version.encode())
    decrypt = models.DecryptRequest(
        ciphertext_blob=sealed.ciphertext_blob, encryption_context=context
    )
    opened = client.decrypt(decrypt).body
    assert (opened.plaintext, opened.key_id) == (HELLO, key.key_id)

    client.disable_key(models.DisableKeyRequest(key_id=key.key_id))
    error = refusal(lambda: client.decrypt(decrypt))
    assert error.code == "Rejected.Disabled"
    assert error.data["statusCode"] == 409
    assert "the key state is Disabled" in error.message

    client.schedule_key_deletion(
        models.ScheduleKeyDeletionRequest(key_id=key.key_id, pending_window_in_days=7)
    )
    described = client.describe_key(models.DescribeKeyRequest(key_id=key.key_id)).body.key_metadata
    assert described.key_state == "PendingDeletion"
    assert described.delete_date == "2026-05-08T12:00:00Z"
    assert described.deletion_protection == "Disabled"
    assert refusal(lambda: client.decrypt(decrypt)).code == "Rejected.PendingDeletion"

    client.cancel_key_deletion(models.CancelKeyDeletionRequest(key_id=key.key_id))
    described = client.describe_key(models.DescribeKeyRequest(key_id=key.key_id)).body.key_metadata
    assert (described.key_state, described.delete_date) == ("Enabled", "")
    assert client.decrypt(decrypt).body.plaintext == HELLO


def test_data_keys(client: Any) -> None:
    key_id = client.create_key(models.CreateKeyRequest()).body.key_metadata.key_id
    for options, size in (
        ({}, 32),
        ({"key_spec": "AES_128"}, 16),
        ({"key_spec": "AES_128", "number_of_bytes": 1024}, 1024),
    ):
        made = client.generate_data_key(
            models.GenerateDataKeyRequest(key_id=key_id, **options)
        ).body
        assert len(b64decode(made.plaintext)) == size
        blind = client.generate_data_key_without_plaintext(
            models.GenerateDataKeyWithoutPlaintextRequest(key_id=key_id, **options)
        ).body
        for blob in (made.ciphertext_blob, blind.ciphertext_blob):
            opened = client.decrypt(models.DecryptRequest(ciphertext_blob=blob)).body
            assert len(b64decode(opened.plaintext)) == size
        opened = client.decrypt(models.DecryptRequest(ciphertext_blob=made.ciphertext_blob)).body
        assert opened.plaintext == made.plaintext


def test_aliases(client: Any) -> None:
    first, second = (
        client.create_key(models.CreateKeyRequest()).body.key_metadata.key_id for _ in range(2)
    )
    name = f"alias/team_{first[:8]}/app-1"
    client.create_alias(models.CreateAliasRequest(alias_name=name, key_id=first))
    sealed = client.encrypt(models.EncryptRequest(key_id=name, plaintext=HELLO)).body
    assert sealed.key_id == first
    client.update_alias(models.UpdateAliasRequest(alias_name=name, key_id=second))
    described = client.describe_key(models.DescribeKeyRequest(key_id=name)).body.key_metadata
    assert described.key_id == second
    listed = client.list_aliases_by_key_id(models.ListAliasesByKeyIdRequest(key_id=second)).body
    assert [(a.alias_name, a.key_id) for a in listed.aliases.alias] == [(name, second)]
    duplicate = models.CreateAliasRequest(alias_name=name, key_id=first)
    assert refusal(lambda: client.create_alias(duplicate)).code == "AliasAlreadyExists"
    client.delete_alias(models.DeleteAliasRequest(alias_name=name))
    error = refusal(lambda: client.describe_key(models.DescribeKeyRequest(key_id=name)))
    assert (error.code, error.data["statusCode"]) == ("Forbidden.AliasNotFound", 404)


def test_lists_and_versions(client: Any) -> None:
    key = client.create_key(models.CreateKeyRequest()).body.key_metadata
    listed = client.list_keys(models.ListKeysRequest(page_number=1, page_size=100)).body
    assert (key.key_id, key.arn) in [(k.key_id, k.key_arn) for k in listed.keys.key]
    versions = client.list_key_versions(models.ListKeyVersionsRequest(key_id=key.key_id)).body
    [version] = versions.key_versions.key_version
    assert (version.key_version_id, versions.total_count) == (key.primary_key_version, 1)
    described = client.describe_key_version(
        models.DescribeKeyVersionRequest(key_id=key.key_id, key_version_id=version.key_version_id)
    ).body.key_version
    assert described.creation_date == key.creation_date
    client.update_key_description(
        models.UpdateKeyDescriptionRequest(key_id=key.key_id, description="new")
    )
    changed = client.describe_key(models.DescribeKeyRequest(key_id=key.key_id)).body.key_metadata
    assert changed.description == "new"
    regions = client.describe_regions().body.regions.region
    assert "cn-hangzhou" in [region.region_id for region in regions]


def test_sts_credentials(world: World) -> None:
    assert world.session.security_token
    listing = models.ListKeysRequest()
    for config in ({}, {"signature_version": "v4"}, {"signature_algorithm": "v2"}):
        sdk(world, world.session, **config).list_keys(listing)
        assert world.records[-1].caller == world.session.caller
        wrong = replace(world.session, security_token="another")
        error = refusal(lambda: sdk(world, wrong, **config).list_keys(listing))  # noqa: B023
        assert error.code == "InvalidSecurityToken.MismatchWithAccessKey"
        without = replace(world.session, security_token=None)
        error = refusal(lambda: sdk(world, without, **config).list_keys(listing))  # noqa: B023
        assert error.code == "MissingSecurityToken"
    world.time = world.start + timedelta(hours=1)
    error = refusal(lambda: sdk(world, world.session).list_keys(listing))
    assert error.code == "InvalidSecurityToken.Expired"


def test_refused_credentials(world: World) -> None:
    listing = models.ListKeysRequest()
    unknown = replace(world.alice, access_key_id="LTAInobody")
    error = refusal(lambda: sdk(world, unknown).list_keys(listing))
    assert (error.code, error.data["statusCode"]) == ("InvalidAccessKeyId.NotFound", 404)
    error = refusal(lambda: sdk(world, world.inactive).list_keys(listing))
    assert (error.code, error.data["statusCode"]) == ("Forbidden.AccessKey", 403)
    error = refusal(lambda: sdk(world, replace(world.alice, secret="guess")).list_keys(listing))
    assert error.code == "SignatureDoesNotMatch"
    assert "server string to sign is:ACS3-HMAC-SHA256\n" in error.data["Message"]
    assert world.records == [], "nobody's call is nobody's record"


def test_a_denied_user_learns_why(world: World) -> None:
    world.refused.add(("alice", "kms:CreateKey"))
    error = refusal(lambda: sdk(world, world.alice).create_key(models.CreateKeyRequest()))
    assert (error.code, error.data["statusCode"]) == ("Forbidden.NoPermission", 403)
    assert error.data["AccessDeniedDetail"] == {
        "AuthAction": "kms:CreateKey",
        "AuthPrincipalType": "SubUser",
        "AuthPrincipalDisplayName": "200000000000000001",
        "AuthPrincipalOwnerId": "1000000000000001",
        "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    }
    assert [record.error_code for record in world.records] == ["Forbidden.NoPermission"]
