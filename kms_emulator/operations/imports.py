"""Rows about imported key material."""

from __future__ import annotations

from typing import Any

from alibaba_edge.errors import NotBuiltError
from kms_emulator.keys import Key
from kms_emulator.operations.kms import Kms, Row, find_key_by_id, row
from kms_emulator.schemas import imports as schemas
from kms_emulator.schemas.fields import KeyRequest


async def get_parameters_for_import(
    kms: Kms, request: schemas.GetParametersForImportRequest, key: Key
) -> dict[str, Any]:
    if request.wrapping_algorithm == "SM2PKE" or request.wrapping_key_spec == "EC_SM2":
        raise NotBuiltError("SM2")
    parameters = await kms.imports.parameters(key, request.wrapping_algorithm)
    return schemas.import_parameters(key, parameters)


async def import_key_material(
    kms: Kms, request: schemas.ImportKeyMaterialRequest, key: Key
) -> dict[str, Any]:
    await kms.imports.import_material(
        key,
        request.encrypted_key_material,
        token=request.import_token,
        expires_at=request.expires_at,
    )
    return {}


async def delete_key_material(kms: Kms, _request: KeyRequest, key: Key) -> dict[str, Any]:
    await kms.imports.delete_material(key)
    return {}


ROWS: tuple[Row, ...] = (
    row(
        schemas.GetParametersForImportRequest,
        find_key_by_id,
        get_parameters_for_import,
        name="GetParametersForImport",
        access="Read",
    ),
    row(
        schemas.ImportKeyMaterialRequest,
        find_key_by_id,
        import_key_material,
        name="ImportKeyMaterial",
        access="Write",
    ),
    row(KeyRequest, find_key_by_id, delete_key_material, name="DeleteKeyMaterial", access="Write"),
)
