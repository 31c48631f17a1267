"""alibabacloud_credentials, unmodified: by URI, from the metadata service, by taking on a role."""

from typing import Any

import pytest
import requests.adapters
from alibabacloud_credentials.client import Client as CredentialClient
from alibabacloud_credentials.http import HttpOptions
from alibabacloud_credentials.provider import (
    EcsRamRoleCredentialsProvider,
    RamRoleArnCredentialsProvider,
    StaticAKCredentialsProvider,
    URLCredentialsProvider,
)
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_tea_openapi.models import Config

from acksim.account.instance_metadata import WORKER_ROLE
from acksim.clients.world import World
from tests.contract.ram.conftest import Account
from tests.contract.ram.test_sts import ASSUMING, make_role

WORKER = f"acs:sts::1000000000000001:assumed-role/{WORKER_ROLE.lower()}/"


def config(world: World, provider: Any) -> Config:
    return Config(
        credential=CredentialClient(provider=provider),
        endpoint=world.facts.endpoint.removeprefix("http://"),
        protocol="HTTP",
        region_id="cn-hangzhou",
    )


def arn_of(world: World, provider: Any) -> str:
    me = StsClient(config(world, provider)).get_caller_identity().body
    arn: str = me.arn
    return arn


def test_credentials_by_uri(acksim: World) -> None:
    uri = f"{acksim.facts.endpoint}/latest/meta-data/ram/security-credentials/{WORKER_ROLE}"
    assert arn_of(acksim, URLCredentialsProvider(uri=uri)).startswith(WORKER)


@pytest.fixture
def metadata_by_proxy(acksim: World) -> HttpOptions:
    """The address of the service is written into the library, so it goes there through us."""
    return HttpOptions(proxy=acksim.facts.endpoint)


@pytest.mark.parametrize("role_name", [None, WORKER_ROLE])
@pytest.mark.parametrize("disable_v1", [True, False])
def test_credentials_from_the_metadata_service(
    acksim: World, metadata_by_proxy: HttpOptions, role_name: str | None, disable_v1: bool
) -> None:
    provider = EcsRamRoleCredentialsProvider(
        role_name=role_name,
        disable_imds_v1=disable_v1,
        http_options=metadata_by_proxy,
        async_update_enabled=False,
    )
    assert arn_of(acksim, provider).startswith(WORKER)
    kms = KmsClient(config(acksim, provider))
    described = kms.describe_key(kms_models.DescribeKeyRequest(key_id="alias/acksim"))
    assert described.body.key_metadata.key_state == "Enabled"
    sealed = kms.encrypt(kms_models.EncryptRequest(key_id="alias/acksim", plaintext="aGk="))
    assert sealed.body.ciphertext_blob
    with pytest.raises(Exception, match=r"Forbidden\.NoPermission"):
        kms.create_key(kms_models.CreateKeyRequest())


@pytest.fixture
def patched_certificate_bundle(acksim: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library takes no other than that of requests, which a user would add our CA to."""
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", acksim.facts.ca)


@pytest.mark.usefixtures("patched_certificate_bundle")
def test_credentials_by_taking_on_a_role_over_https(acksim: World, account: Account) -> None:
    alice, role = account.user("alice", ASSUMING), make_role(account)
    provider = RamRoleArnCredentialsProvider(
        credentials_provider=StaticAKCredentialsProvider(
            access_key_id=alice.id, access_key_secret=alice.secret
        ),
        role_arn=role,
        role_session_name="library",
        duration_seconds=900,
        policy='{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:ListKeys",'
        '"Resource":"*"}]}',
        sts_endpoint=acksim.facts.tls_endpoint.removeprefix("https://"),
    )
    arn = f"acs:sts::{account.id}:assumed-role/operator/library"
    assert arn_of(acksim, provider) == arn
    kms = KmsClient(config(acksim, provider))
    assert kms.list_keys(kms_models.ListKeysRequest()).body.total_count == 0
    with pytest.raises(Exception, match=r"Forbidden\.NoPermission"):
        kms.create_key(kms_models.CreateKeyRequest())
