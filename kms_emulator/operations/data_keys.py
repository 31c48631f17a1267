"""Rows that make and export data keys. Each success is billed."""

from __future__ import annotations

from typing import Any

from alibaba_edge.errors import InvalidParameterError, NotBuiltError
from alibaba_edge.fields import base64_text
from kms_emulator.crypto.asymmetric import rsa_public_bits
from kms_emulator.keys import Key
from kms_emulator.operations.crypto_operations import KeyAndBlob, find_key_of_blob
from kms_emulator.operations.kms import (
    CRYPTO_CALLS,
    Kms,
    Row,
    find_key,
    refuse_recipient,
    row,
    stop_dry_run,
)
from kms_emulator.schemas import crypto_operations as schemas
from kms_emulator.service.crypto_operations import DataKey, Recipient

_WRAPPING_BITS = 2048


async def generate_data_key(
    kms: Kms, request: schemas.GenerateDataKeyRequest, key: Key
) -> dict[str, Any]:
    refuse_recipient(request.recipient)
    data_key = _new_data_key(kms, request, key)
    return {**_sealed(data_key, key), "Plaintext": base64_text(data_key.plaintext)}


async def generate_data_key_without_plaintext(
    kms: Kms, request: schemas.GenerateDataKeyRequest, key: Key
) -> dict[str, Any]:
    refuse_recipient(request.recipient)
    return _sealed(_new_data_key(kms, request, key), key)


async def generate_and_export_data_key(
    kms: Kms, request: schemas.GenerateAndExportDataKeyRequest, key: Key
) -> dict[str, Any]:
    recipient = _recipient(request)
    data_key = kms.crypto.generate_data_key(
        key, size=request.size, context=request.encryption_context
    )
    exported = await kms.crypto.export(data_key.plaintext, recipient)
    stop_dry_run(request.dry_run)
    return {**_sealed(data_key, key), "ExportedDataKey": base64_text(exported)}


async def export_data_key(
    kms: Kms, request: schemas.ExportDataKeyRequest, subject: KeyAndBlob
) -> dict[str, Any]:
    recipient = _recipient(request)
    key, blob = subject
    plaintext = kms.crypto.decrypt(
        key, blob, context=request.encryption_context, operation="ExportDataKey"
    )
    exported = await kms.crypto.export(plaintext, recipient)
    stop_dry_run(request.dry_run)
    return {
        "ExportedDataKey": base64_text(exported),
        "KeyId": key.id,
        "KeyVersionId": blob.version_id,
    }


def _recipient(request: schemas.PublicKeyRequest) -> Recipient:
    if request.wrapping_algorithm == "SM2PKE" or request.wrapping_key_spec == "EC_SM2":
        raise NotBuiltError("SM2")
    bits = rsa_public_bits(request.public_key_blob)
    if bits != _WRAPPING_BITS:
        raise InvalidParameterError("PublicKeyBlob")
    return Recipient(request.public_key_blob, bits, request.wrapping_algorithm)


def _new_data_key(kms: Kms, request: schemas.GenerateDataKeyRequest, key: Key) -> DataKey:
    data_key = kms.crypto.generate_data_key(
        key, size=request.size, context=request.encryption_context
    )
    stop_dry_run(request.dry_run)
    return data_key


def _sealed(data_key: DataKey, key: Key) -> dict[str, Any]:
    return {
        "CiphertextBlob": base64_text(data_key.sealed.blob),
        "KeyId": key.id,
        "KeyVersionId": data_key.sealed.version_id,
    }


ROWS: tuple[Row, ...] = (
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
    row(
        schemas.GenerateAndExportDataKeyRequest,
        find_key,
        generate_and_export_data_key,
        name="GenerateAndExportDataKey",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.ExportDataKeyRequest,
        find_key_of_blob,
        export_data_key,
        name="ExportDataKey",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
)
