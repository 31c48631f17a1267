"""Rows that encrypt and decrypt with symmetric keys. Each success is billed."""

from __future__ import annotations

from typing import Any

from alibaba_edge.fields import base64_text
from alibaba_edge.gateway.product import Call, Found
from kms_emulator.ciphertext import CiphertextBlob
from kms_emulator.keys import Key
from kms_emulator.operations.kms import (
    CRYPTO_CALLS,
    Kms,
    Row,
    find_key,
    key_resource,
    refuse_recipient,
    row,
    scope_of,
    stop_dry_run,
)
from kms_emulator.price_class import call_class
from kms_emulator.schemas import crypto_operations as schemas
from kms_emulator.service.asymmetric_operations import Choice

KeyAndBlob = tuple[Key, CiphertextBlob]
Source = tuple[Key, CiphertextBlob | Choice]


async def encrypt(kms: Kms, request: schemas.EncryptRequest, key: Key) -> dict[str, Any]:
    sealed = kms.crypto.encrypt(key, request.plaintext, context=request.encryption_context)
    stop_dry_run(request.dry_run)
    return {
        "CiphertextBlob": base64_text(sealed.blob),
        "KeyId": key.id,
        "KeyVersionId": sealed.version_id,
    }


async def find_key_of_blob(
    kms: Kms, call: Call, request: schemas.DecryptRequest | schemas.ExportDataKeyRequest
) -> Found[KeyAndBlob]:
    """The request names no key: the blob begins with the id of its key version."""
    key, blob = await _read_blob(kms, call, request.ciphertext_blob)
    return Found((key, blob), (key_resource(key),), key.id, call_class(key))


async def _read_blob(kms: Kms, call: Call, data: bytes) -> KeyAndBlob:
    blob = kms.crypto.read_blob(data)
    return await kms.keys.find_version(scope_of(call), blob.version_id), blob


async def decrypt(kms: Kms, request: schemas.DecryptRequest, subject: KeyAndBlob) -> dict[str, Any]:
    refuse_recipient(request.recipient)
    key, blob = subject
    plaintext = kms.crypto.decrypt(key, blob, context=request.encryption_context)
    stop_dry_run(request.dry_run)
    return {
        "Plaintext": base64_text(plaintext),
        "KeyId": key.id,
        "KeyVersionId": blob.version_id,
    }


async def find_both_keys(
    kms: Kms, call: Call, request: schemas.ReEncryptRequest
) -> Found[tuple[Source, Key]]:
    """Each key has a permission of its own."""
    source = await _source(kms, call, request)
    destination = await kms.keys.find(scope_of(call), request.destination_key_id)
    resources = (
        key_resource(source[0], action="kms:ReEncryptFrom"),
        key_resource(destination, action="kms:ReEncryptTo"),
    )
    return Found((source, destination), resources, source[0].id, call_class(source[0]))


async def _source(kms: Kms, call: Call, request: schemas.ReEncryptRequest) -> Source:
    if not request.source_key_id:
        return await _read_blob(kms, call, request.ciphertext_blob)
    key = await kms.keys.find(scope_of(call), request.source_key_id)
    version_id, algorithm = request.source_key_version_id, request.source_encryption_algorithm
    return key, Choice(key, version_id, algorithm)


async def re_encrypt(
    kms: Kms, request: schemas.ReEncryptRequest, subject: tuple[Source, Key]
) -> dict[str, Any]:
    """The answer names the key that decrypted, as documented."""
    (key, source), destination = subject
    if isinstance(source, Choice):
        plaintext = await kms.asymmetric.decrypt(
            source, request.ciphertext_blob, operation="ReEncrypt"
        )
    else:
        plaintext = kms.crypto.decrypt(
            key, source, context=request.source_encryption_context, operation="ReEncrypt"
        )
    sealed = kms.crypto.encrypt(
        destination,
        plaintext,
        context=request.destination_encryption_context,
        operation="ReEncrypt",
    )
    stop_dry_run(request.dry_run)
    return {
        "CiphertextBlob": base64_text(sealed.blob),
        "KeyId": key.id,
        "KeyVersionId": source.version_id,
    }


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
        schemas.ReEncryptRequest,
        find_both_keys,
        re_encrypt,
        name="ReEncrypt",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
)
