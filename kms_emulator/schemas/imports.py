"""Imported key material."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from alibaba_edge.fields import base64_text, time_text
from kms_emulator.keys import Key
from kms_emulator.schemas.fields import KeyRequest, Material
from kms_emulator.service.imports import ImportParameters

_LAST_SECOND = 253_402_300_799  # of the year 9999


class GetParametersForImportRequest(KeyRequest):
    wrapping_algorithm: Literal[
        "RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"
    ]
    wrapping_key_spec: Literal["RSA_2048", "EC_SM2"]


class ImportKeyMaterialRequest(KeyRequest):
    encrypted_key_material: Material
    import_token: Material
    key_material_expire_unix: Annotated[int, Field(ge=0, le=_LAST_SECOND)] = 0

    @property
    def expires_at(self) -> datetime | None:
        """0 means never."""
        expires = self.key_material_expire_unix
        return datetime.fromtimestamp(expires, UTC) if expires else None


def import_parameters(key: Key, parameters: ImportParameters) -> dict[str, Any]:
    return {
        "KeyId": key.id,
        "ImportToken": base64_text(parameters.token),
        "PublicKey": base64_text(parameters.public),
        "TokenExpireTime": time_text(parameters.expires_at),
    }
