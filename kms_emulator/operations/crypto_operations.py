"""Rows that use key material. Each success is billed."""

from __future__ import annotations

from typing import Any

from kms_emulator import schemas
from kms_emulator.ciphertext import CiphertextBlob
from kms_emulator.errors import DryRunError, NotBuiltError
from kms_emulator.gateway.product import Call, Found
from kms_emulator.keys import Key
from kms_emulator.operations.kms import Kms, Row, find_key, key_resource, row, scope_of
from kms_emulator.service.crypto_operations import DataKey

CRYPTO_CALLS = "CryptographicCalls"
"""The billing item of these rows."""

KeyAndBlob = tuple[Key, CiphertextBlob]


async def encrypt(kms: Kms, request: schemas.EncryptRequest, key: Key) -> dict[str, Any]:
    sealed = kms.crypto.encrypt(key, request.plaintext, context=request.encryption_context)
    _stop_dry_run(request.dry_run)
    return {
        "CiphertextBlob": schemas.base64_text(sealed.blob),
        "KeyId": key.id,
        "KeyVersionId": sealed.version_id,
    }


async def find_key_of_blob(
    kms: Kms, call: Call, request: schemas.DecryptRequest
) -> Found[KeyAndBlob]:
    """Decrypt names no key: the blob begins with the id of its key version."""
    blob = kms.crypto.read_blob(request.ciphertext_blob)
    key = await kms.keys.find_version(scope_of(call), blob.version_id)
    return Found((key, blob), (key_resource(key),), key.id)


async def decrypt(kms: Kms, request: schemas.DecryptRequest, subject: KeyAndBlob) -> dict[str, Any]:
    _refuse_recipient(request.recipient)
    key, blob = subject
    plaintext = kms.crypto.decrypt(key, blob, context=request.encryption_context)
    _stop_dry_run(request.dry_run)
    return {
        "Plaintext": schemas.base64_text(plaintext),
        "KeyId": key.id,
        "KeyVersionId": blob.version_id,
    }


async def generate_data_key(
    kms: Kms, request: schemas.GenerateDataKeyRequest, key: Key
) -> dict[str, Any]:
    data_key = _new_data_key(kms, request, key)
    plaintext = schemas.base64_text(data_key.plaintext)
    return {**_sealed_data_key(data_key, key), "Plaintext": plaintext}


async def generate_data_key_without_plaintext(
    kms: Kms, request: schemas.GenerateDataKeyRequest, key: Key
) -> dict[str, Any]:
    return _sealed_data_key(_new_data_key(kms, request, key), key)


def _new_data_key(kms: Kms, request: schemas.GenerateDataKeyRequest, key: Key) -> DataKey:
    _refuse_recipient(request.recipient)
    data_key = kms.crypto.generate_data_key(
        key, size=request.size, context=request.encryption_context
    )
    _stop_dry_run(request.dry_run)
    return data_key


def _sealed_data_key(data_key: DataKey, key: Key) -> dict[str, Any]:
    return {
        "CiphertextBlob": schemas.base64_text(data_key.sealed.blob),
        "KeyId": key.id,
        "KeyVersionId": data_key.sealed.version_id,
    }


def _stop_dry_run(dry_run: bool) -> None:
    """A dry run goes all the way and then answers an error, as documented."""
    if dry_run:
        raise DryRunError


def _refuse_recipient(recipient: str) -> None:
    if recipient:
        raise NotBuiltError("Recipient (enclave attestation)")


ROWS: tuple[Row, ...] = (
    row(
        schemas.EncryptRequest,
        find_key,
        encrypt,
        name="Encrypt",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.DecryptRequest,
        find_key_of_blob,
        decrypt,
        name="Decrypt",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.GenerateDataKeyRequest,
        find_key,
        generate_data_key,
        name="GenerateDataKey",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.GenerateDataKeyRequest,
        find_key,
        generate_data_key_without_plaintext,
        name="GenerateDataKeyWithoutPlaintext",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
)
