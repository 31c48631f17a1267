"""Every Action of KMS 2016-01-20 as one row, built or not.

Dispatch, permissions, records, bills and the coverage page all read these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from secrets import token_bytes as system_token_bytes

from alibaba_edge.gateway.product import Product
from alibaba_edge.gateway.throttle import Throttle
from alibaba_edge.ports import Clock, GoodStanding, Standing
from kms_emulator.operations import (
    aliases,
    asymmetric_operations,
    crypto_operations,
    data_keys,
    imports,
    keys,
    policies,
    service,
    tags,
    unbuilt,
    versions,
)
from kms_emulator.operations.kms import Kms, Row
from kms_emulator.operations.quotas import quotas
from kms_emulator.service.aliases import Aliases
from kms_emulator.service.asymmetric_operations import AsymmetricOperations
from kms_emulator.service.crypto_operations import CryptoOperations
from kms_emulator.service.imports import Imports
from kms_emulator.service.keys import Keys
from kms_emulator.service.limits import ResourceLimits
from kms_emulator.service.rotation import Rotation
from kms_emulator.service.tags import Tags
from kms_emulator.store import KeyStore

OPERATIONS: tuple[Row, ...] = (
    *keys.ROWS,
    *versions.ROWS,
    *imports.ROWS,
    *crypto_operations.ROWS,
    *data_keys.ROWS,
    *asymmetric_operations.ROWS,
    *aliases.ROWS,
    *tags.ROWS,
    *policies.ROWS,
    *service.ROWS,
    *unbuilt.ROWS,
)

_STATUSES: Mapping[str, int] = {
    "DryRunOperationError": 412,
    "Forbidden.AccessKey": 403,
    "Forbidden.AliasNotFound": 404,
    "Forbidden.DKMSInstanceNotFound": 404,
    "Forbidden.KeyNotFound": 404,
    "Forbidden.KeyVersionNotFound": 404,
    "Forbidden.NoPermission": 403,
    "Rejected.DeletionProtection": 409,
    "Rejected.Disabled": 409,
    "Rejected.PendingDeletion": 409,
    "Rejected.PendingImport": 409,
    "Rejected.StateModifiedFailed": 409,
    "Rejected.Throttling": 429,
}

_WORDING: Mapping[str, tuple[str, str]] = {
    "InvalidAccessKeyId.NotFound": (
        "InvalidAccessKeyId.NotFound",
        "The AccessKey ID provided does not exist in our records.",
    ),
    "InvalidAccessKeyId.Inactive": ("Forbidden.AccessKey", "This AccessKey is not enabled."),
    "NoPermission": (
        "Forbidden.NoPermission",
        "This operation is forbidden by permission system.",
    ),
}


def kms_of(
    store: KeyStore,
    *,
    now: Clock,
    token_bytes: Callable[[int], bytes] = system_token_bytes,
    limited: bool = False,
    standing: Standing | None = None,
) -> Kms:
    """The domain over a store; `limited` to what an account may have."""
    limits = ResourceLimits(store, enforced=limited)
    all_keys = Keys(store, limits, now=now, token_bytes=token_bytes)
    return Kms(
        keys=all_keys,
        rotation=Rotation(all_keys, now=now),
        imports=Imports(all_keys, now=now, token_bytes=token_bytes),
        tags=Tags(all_keys),
        crypto=CryptoOperations(token_bytes=token_bytes),
        asymmetric=AsymmetricOperations(),
        aliases=Aliases(store, all_keys, limits),
        standing=standing or GoodStanding(),
    )


def kms_product(kms: Kms, *, limited: bool = False) -> Product:
    """`limited` to the calls a second that an account may make."""
    throttle = Throttle(quotas(OPERATIONS)) if limited else None
    return Product("Kms", "2016-01-20", OPERATIONS, kms, _STATUSES, _WORDING, throttle)
