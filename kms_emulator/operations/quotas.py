"""Which operations share which allowance ("Performance data for KMS", shared gateway).

MAC operations are counted with the symmetric ones; the page does not name them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from alibaba_edge.gateway.throttle import Quota
from kms_emulator.operations.kms import CRYPTO_CALLS, Row

_ACCOUNT = Quota("account", 1)
_KEY_READS = Quota("key reads", 50)
_RESOURCE_TAGS = Quota("ListResourceTags", 300)
_CREATE_KEY = Quota("CreateKey", 10)
_KEY_WRITES = Quota("key writes", 30)
_SYMMETRIC = Quota("symmetric cryptography", 1000)
_ASYMMETRIC = Quota("asymmetric cryptography", 200)

_NAMED: Mapping[str, Quota] = {
    "OpenKmsService": _ACCOUNT,
    "DescribeAccountKmsStatus": _ACCOUNT,
    "ListResourceTags": _RESOURCE_TAGS,
    "CreateKey": _CREATE_KEY,
}


def quotas(rows: tuple[Row, ...]) -> Mapping[str, Quota]:
    """By operation; those that are not built have none."""
    return dict(_quotas(rows))


def _quotas(rows: tuple[Row, ...]) -> Iterator[tuple[str, Quota]]:
    for row in rows:
        if not row.built:
            continue
        if row.name in _NAMED:
            yield row.name, _NAMED[row.name]
        elif row.billable == CRYPTO_CALLS:
            yield row.name, _ASYMMETRIC if row.name.startswith("Asymmetric") else _SYMMETRIC
        else:
            yield row.name, _KEY_READS if row.access == "Read" else _KEY_WRITES
