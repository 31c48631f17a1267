"""One example for each built operation: Python lines that run against a fresh emulator.

`call` is a signed call; a line that needs a key, a blob or a pair takes it from `_PREPARATIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PREPARATIONS: Mapping[str, str] = {
    "key": 'key = call("CreateKey")["KeyMetadata"]["KeyId"]',
    "named": 'named = call("CreateAlias", KeyId=key, AliasName=f"alias/{key}") and f"alias/{key}"',
    "blob": 'blob = call("Encrypt", KeyId=key, Plaintext="aGVsbG8=")["CiphertextBlob"]',
    "rsa_key": 'rsa_key = call("CreateKey", KeySpec="RSA_2048")["KeyMetadata"]["KeyId"]',
    "rsa": (
        'versions = call("ListKeyVersions", KeyId=rsa_key)["KeyVersions"]["KeyVersion"]\n'
        'rsa = {"KeyId": rsa_key, "KeyVersionId": versions[0]["KeyVersionId"]}'
    ),
    "oaep": 'oaep = {**rsa, "Algorithm": "RSAES_OAEP_SHA_256"}',
    "ec_key": 'ec_key = call("CreateKey", KeySpec="EC_P256")["KeyMetadata"]["KeyId"]',
    "ec": (
        'versions = call("ListKeyVersions", KeyId=ec_key)["KeyVersions"]["KeyVersion"]\n'
        'ec = {"KeyId": ec_key, "KeyVersionId": versions[0]["KeyVersionId"]}'
    ),
    "digest": 'digest = {"Algorithm": "ECDSA_SHA_256", "Digest": "A" * 43 + "="}',
    "instance": 'instance = {"DKMSInstanceId": "kst-acksim-software"}',
    "hmac_key": 'hmac_key = call("CreateKey", KeySpec="HMAC_SHA_256", **instance)["KeyMetadata"]',
    "hmac": 'hmac = {"KeyId": hmac_key["KeyId"], "Algorithm": "HMAC_SHA_256", "Message": "aGk="}',
    "pem": 'pem = call("GetPublicKey", **rsa)["PublicKey"]',
    "rsa_oaep": (
        'rsa_oaep = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}'
    ),
    "wrapping": 'wrapping = {**rsa_oaep, "PublicKeyBlob": "".join(pem.splitlines()[1:-1])}',
    "external": 'external = call("CreateKey", Origin="EXTERNAL")["KeyMetadata"]["KeyId"]',
    "token": 'token = call("GetParametersForImport", KeyId=external, **rsa_oaep)',
    "wrapped": (
        "from base64 import b64decode, b64encode\n"
        "from cryptography.hazmat.primitives import hashes\n"
        "from cryptography.hazmat.primitives.asymmetric import padding\n"
        "from cryptography.hazmat.primitives.serialization import load_der_public_key\n"
        'public = load_der_public_key(b64decode(token["PublicKey"]))\n'
        "padded = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)\n"
        "wrapped = b64encode(public.encrypt(bytes(32), padded)).decode()"
    ),
    "numbered": (
        'numbered = {"RegionId": "cn-hangzhou", "ResourceType": "key", "ResourceId.1": key}'
    ),
    "kept": 'kept = call("CreateKey", **instance)["KeyMetadata"]["KeyId"]',
}

EXAMPLES: Mapping[str, str] = {
    "CreateKey": 'call("CreateKey", Description="of the shop")',
    "DescribeKey": 'call("DescribeKey", KeyId=key)',
    "ListKeys": 'call("ListKeys", PageSize="20")',
    "EnableKey": 'call("EnableKey", KeyId=key)',
    "DisableKey": 'call("DisableKey", KeyId=key)',
    "ScheduleKeyDeletion": 'call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays="7")',
    "CancelKeyDeletion": (
        'call("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays="7")\n'
        'call("CancelKeyDeletion", KeyId=key)'
    ),
    "UpdateKeyDescription": 'call("UpdateKeyDescription", KeyId=key, Description="of the shop")',
    "SetDeletionProtection": (
        'arn = call("DescribeKey", KeyId=key)["KeyMetadata"]["Arn"]\n'
        'call("SetDeletionProtection", ProtectedResourceArn=arn, EnableDeletionProtection="true")'
    ),
    "CreateAlias": 'call("CreateAlias", KeyId=key, AliasName=f"alias/{key}")',
    "UpdateAlias": 'call("UpdateAlias", KeyId=key, AliasName=named)',
    "DeleteAlias": 'call("DeleteAlias", AliasName=named)',
    "ListAliases": 'call("ListAliases")',
    "ListAliasesByKeyId": 'call("ListAliasesByKeyId", KeyId=key)',
    "Encrypt": (
        'call("Encrypt", KeyId=key, Plaintext="aGVsbG8=", EncryptionContext=\'{"app": "shop"}\')'
    ),
    "Decrypt": 'call("Decrypt", CiphertextBlob=blob)',
    "ReEncrypt": 'call("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=key)',
    "GenerateDataKey": 'call("GenerateDataKey", KeyId=key, KeySpec="AES_256")',
    "GenerateDataKeyWithoutPlaintext": (
        'call("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes="64")'
    ),
    "GenerateAndExportDataKey": 'call("GenerateAndExportDataKey", KeyId=key, **wrapping)',
    "ExportDataKey": 'call("ExportDataKey", CiphertextBlob=blob, **wrapping)',
    "GetPublicKey": 'call("GetPublicKey", **rsa)',
    "AsymmetricEncrypt": 'call("AsymmetricEncrypt", Plaintext="aGVsbG8=", **oaep)',
    "AsymmetricDecrypt": (
        'sealed = call("AsymmetricEncrypt", Plaintext="aGVsbG8=", **oaep)["CiphertextBlob"]\n'
        'call("AsymmetricDecrypt", CiphertextBlob=sealed, **oaep)'
    ),
    "AsymmetricSign": 'call("AsymmetricSign", **ec, **digest)',
    "AsymmetricVerify": (
        'value = call("AsymmetricSign", **ec, **digest)["Value"]\n'
        'call("AsymmetricVerify", Value=value, **ec, **digest)'
    ),
    "GenerateMac": 'call("GenerateMac", **hmac)',
    "VerifyMac": 'call("VerifyMac", Mac=call("GenerateMac", **hmac)["Mac"], **hmac)',
    "GetParametersForImport": 'call("GetParametersForImport", KeyId=external, **rsa_oaep)',
    "ImportKeyMaterial": (
        'call("ImportKeyMaterial", KeyId=external, EncryptedKeyMaterial=wrapped, '
        'ImportToken=token["ImportToken"], KeyMaterialExpireUnix="0")'
    ),
    "DeleteKeyMaterial": 'call("DeleteKeyMaterial", KeyId=external)',
    "CreateKeyVersion": (
        "# Refused until the newest version is seven days old: `acksim clock advance 7d` helps.\n"
        'call("CreateKeyVersion", KeyId=ec["KeyId"])'
    ),
    "ListKeyVersions": 'call("ListKeyVersions", KeyId=key)',
    "DescribeKeyVersion": 'call("DescribeKeyVersion", **ec)',
    "UpdateRotationPolicy": (
        'call("UpdateRotationPolicy", KeyId=key, EnableAutomaticRotation="true", '
        'RotationInterval="30d")'
    ),
    "TagResource": 'call("TagResource", KeyId=key, Tags=\'[{"TagKey": "team", "TagValue": "a"}]\')',
    "UntagResource": 'call("UntagResource", KeyId=key, TagKeys=\'["team"]\')',
    "ListResourceTags": 'call("ListResourceTags", KeyId=key)',
    "TagResources": 'call("TagResources", **numbered, **{"Tag.1.Key": "team", "Tag.1.Value": "a"})',
    "UntagResources": 'call("UntagResources", **numbered, **{"TagKey.1": "team"})',
    "ListTagResources": 'call("ListTagResources", **numbered)',
    "GetKeyPolicy": 'call("GetKeyPolicy", KeyId=kept)',
    "SetKeyPolicy": (
        'policy = call("GetKeyPolicy", KeyId=kept)["Policy"]\n'
        'call("SetKeyPolicy", KeyId=kept, Policy=policy)'
    ),
    "ListPolicies": 'call("ListPolicies", PageSize="20")',
    "DescribeRegions": 'call("DescribeRegions")',
    "DescribeAccountKmsStatus": 'call("DescribeAccountKmsStatus")',
    "OpenKmsService": '# Refused, because it is open.\ncall("OpenKmsService")',
}

_NAME = re.compile(r"\w+")


def example(action: str, endpoint: str) -> str:
    """A whole program."""
    body = EXAMPLES[action]
    lines: list[str] = []
    _prepare(body, lines)
    head = ["from acksim.clients.kms import Kms", "", f'call = Kms.of_root("{endpoint}").call']
    return "\n".join([*head, *lines, body])


def _prepare(text: str, lines: list[str]) -> None:
    for name in _NAME.findall(text):
        line = _PREPARATIONS.get(name)
        if line is not None and line != text and line not in lines:
            _prepare(line, lines)
            lines.append(line)
