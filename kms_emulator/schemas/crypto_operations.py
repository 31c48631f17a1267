"""Encrypt, Decrypt, ReEncrypt and data keys."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from alibaba_edge.fields import Base64, Flag, WireRequest, optional
from alibaba_edge.gateway.product import Secret
from kms_emulator.schemas.fields import Blob, Context, ContextRequest, KeyId, KeyRequest, Plaintext

_PUBLIC_KEY_LIMIT = 4096


class EncryptRequest(KeyRequest, ContextRequest):
    plaintext: Plaintext
    encryption_context: Context = Field(default_factory=dict)
    dry_run: Flag = False


class DecryptRequest(ContextRequest):
    ciphertext_blob: Blob
    encryption_context: Context = Field(default_factory=dict)
    dry_run: Flag = False
    recipient: Annotated[str, Secret()] = ""


class ReEncryptRequest(ContextRequest):
    """The Source parameters name what made a public-key ciphertext; a blob names it itself."""

    contexts: ClassVar[tuple[str, ...]] = (
        "SourceEncryptionContext",
        "DestinationEncryptionContext",
    )

    ciphertext_blob: Blob
    destination_key_id: KeyId
    source_encryption_context: Context = Field(default_factory=dict)
    destination_encryption_context: Context = Field(default_factory=dict)
    source_key_id: str = ""
    source_key_version_id: str = ""
    source_encryption_algorithm: str = ""
    dry_run: Flag = False


class DataKeyRequest(KeyRequest, ContextRequest):
    key_spec: Annotated[Literal["AES_256", "AES_128"] | None, BeforeValidator(optional)] = None
    number_of_bytes: Annotated[
        Annotated[int, Field(ge=1, le=1024)] | None, BeforeValidator(optional)
    ] = None
    encryption_context: Context = Field(default_factory=dict)
    dry_run: Flag = False

    @property
    def size(self) -> int:
        """NumberOfBytes wins over KeySpec; 32 when neither is given."""
        return self.number_of_bytes or (16 if self.key_spec == "AES_128" else 32)


class GenerateDataKeyRequest(DataKeyRequest):
    recipient: Annotated[str, Secret()] = ""


class PublicKeyRequest(WireRequest):
    """For whom a data key is exported."""

    public_key_blob: Annotated[Base64, Field(min_length=1, max_length=_PUBLIC_KEY_LIMIT)]
    wrapping_algorithm: Literal["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "SM2PKE"]
    wrapping_key_spec: Literal["RSA_2048", "EC_SM2"]


class GenerateAndExportDataKeyRequest(DataKeyRequest, PublicKeyRequest):
    pass


class ExportDataKeyRequest(PublicKeyRequest, ContextRequest):
    ciphertext_blob: Blob
    encryption_context: Context = Field(default_factory=dict)
    dry_run: Flag = False
