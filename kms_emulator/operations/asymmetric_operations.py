"""Rows that use asymmetric and MAC keys. Each success is billed, but for a look at a public key."""

from __future__ import annotations

from typing import Any

from alibaba_edge.fields import base64_text
from kms_emulator.keys import Key
from kms_emulator.operations.kms import (
    CRYPTO_CALLS,
    Kms,
    Row,
    find_key,
    refuse_recipient,
    row,
    stop_dry_run,
)
from kms_emulator.schemas import asymmetric_operations as schemas
from kms_emulator.service.asymmetric_operations import Choice


async def asymmetric_encrypt(
    kms: Kms, request: schemas.AsymmetricEncryptRequest, key: Key
) -> dict[str, Any]:
    ciphertext = await kms.asymmetric.encrypt(_choice(request, key), request.plaintext)
    stop_dry_run(request.dry_run)
    return {"CiphertextBlob": base64_text(ciphertext), **_names(request, key)}


async def asymmetric_decrypt(
    kms: Kms, request: schemas.AsymmetricDecryptRequest, key: Key
) -> dict[str, Any]:
    refuse_recipient(request.recipient)
    plaintext = await kms.asymmetric.decrypt(_choice(request, key), request.ciphertext_blob)
    stop_dry_run(request.dry_run)
    return {"Plaintext": base64_text(plaintext), **_names(request, key)}


async def asymmetric_sign(
    kms: Kms, request: schemas.AsymmetricSignRequest, key: Key
) -> dict[str, Any]:
    signature = await kms.asymmetric.sign(_choice(request, key), request.digest)
    stop_dry_run(request.dry_run)
    return {"Value": base64_text(signature), **_names(request, key)}


async def asymmetric_verify(
    kms: Kms, request: schemas.AsymmetricVerifyRequest, key: Key
) -> dict[str, Any]:
    valid = await kms.asymmetric.verify(
        _choice(request, key), request.digest, signature=request.value
    )
    stop_dry_run(request.dry_run)
    return {"Value": valid, **_names(request, key)}


async def get_public_key(kms: Kms, request: schemas.PublicKeyRequest, key: Key) -> dict[str, Any]:
    pem = await kms.asymmetric.public_key(key, request.key_version_id)
    stop_dry_run(request.dry_run)
    return {"PublicKey": pem, **_names(request, key)}


async def generate_mac(kms: Kms, request: schemas.GenerateMacRequest, key: Key) -> dict[str, Any]:
    mac = kms.asymmetric.generate_mac(key, request.algorithm, request.message)
    stop_dry_run(request.dry_run)
    return {"Mac": base64_text(mac), "Algorithm": request.algorithm, "KeyId": key.id}


async def verify_mac(kms: Kms, request: schemas.VerifyMacRequest, key: Key) -> dict[str, Any]:
    valid = kms.asymmetric.verify_mac(key, request.algorithm, request.message, mac=request.mac)
    stop_dry_run(request.dry_run)
    return {"Value": valid, "Algorithm": request.algorithm, "KeyId": key.id}


def _choice(request: schemas.ChoiceRequest, key: Key) -> Choice:
    return Choice(key, request.key_version_id, request.algorithm)


def _names(request: schemas.PublicKeyRequest, key: Key) -> dict[str, Any]:
    return {"KeyId": key.id, "KeyVersionId": request.key_version_id}


ROWS: tuple[Row, ...] = (
    row(
        schemas.AsymmetricEncryptRequest,
        find_key,
        asymmetric_encrypt,
        name="AsymmetricEncrypt",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.AsymmetricDecryptRequest,
        find_key,
        asymmetric_decrypt,
        name="AsymmetricDecrypt",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.AsymmetricSignRequest,
        find_key,
        asymmetric_sign,
        name="AsymmetricSign",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.AsymmetricVerifyRequest,
        find_key,
        asymmetric_verify,
        name="AsymmetricVerify",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.PublicKeyRequest,
        find_key,
        get_public_key,
        name="GetPublicKey",
        access="Read",
    ),
    row(
        schemas.GenerateMacRequest,
        find_key,
        generate_mac,
        name="GenerateMac",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
    row(
        schemas.VerifyMacRequest,
        find_key,
        verify_mac,
        name="VerifyMac",
        access="Read",
        billable=CRYPTO_CALLS,
    ),
)
