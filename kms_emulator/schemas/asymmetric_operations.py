"""Public keys, signatures and MACs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from alibaba_edge.fields import Base64, Flag, Text
from alibaba_edge.gateway.product import Secret
from kms_emulator.schemas.fields import Blob, KeyRequest, Plaintext

_SIGNATURE_LIMIT = 1024
_MESSAGE_LIMIT = 6 * 1024

Digest = Annotated[Base64, Field(min_length=1, max_length=64)]
Signature = Annotated[Base64, Field(min_length=1, max_length=_SIGNATURE_LIMIT)]
Message = Annotated[Base64, Field(min_length=1, max_length=_MESSAGE_LIMIT), Secret()]


class PublicKeyRequest(KeyRequest):
    key_version_id: Text
    dry_run: Flag = False


class ChoiceRequest(PublicKeyRequest):
    algorithm: Text


class AsymmetricEncryptRequest(ChoiceRequest):
    plaintext: Plaintext


class AsymmetricDecryptRequest(ChoiceRequest):
    ciphertext_blob: Blob
    recipient: Annotated[str, Secret()] = ""


class AsymmetricSignRequest(ChoiceRequest):
    digest: Digest


class AsymmetricVerifyRequest(AsymmetricSignRequest):
    value: Signature


class GenerateMacRequest(KeyRequest):
    algorithm: Text
    message: Message
    dry_run: Flag = False


class VerifyMacRequest(GenerateMacRequest):
    mac: Annotated[Base64, Field(min_length=1, max_length=_SIGNATURE_LIMIT), Secret()]
