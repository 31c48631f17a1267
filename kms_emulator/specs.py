"""Kinds of keys: what each KeySpec is made of, may be used for, and where it is offered.

From "Key management types and key specifications". A key without a KMS instance follows the classic
rules; SM2 is not built, because OpenSSL's SM2 is out of reach here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

AES_256 = "Aliyun_AES_256"
SM4 = "Aliyun_SM4"
ENCRYPT_DECRYPT = "ENCRYPT/DECRYPT"
SIGN_VERIFY = "SIGN/VERIFY"
GENERATE_VERIFY_MAC = "GENERATE/VERIFY_MAC"
SOFTWARE = "SOFTWARE"
HSM = "HSM"

INSTANCES: Mapping[str, str] = {"kst-acksim-software": SOFTWARE, "kst-acksim-hardware": HSM}
"""The KMS instances that every account has in every region, and what protects their keys."""

UNBUILT_SPECS = frozenset({"EC_SM2"})


class Family(StrEnum):
    SYMMETRIC = "symmetric"
    RSA = "RSA"
    EC = "EC"
    MAC = "MAC"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """`bits`: of a symmetric or MAC key, or of an RSA modulus. The first usage is the default."""

    name: str
    family: Family
    bits: int
    usages: tuple[str, ...]
    levels: tuple[str, ...] = (SOFTWARE, HSM)
    needs_instance: bool = False


_CIPHER = (ENCRYPT_DECRYPT,)
_RSA = (ENCRYPT_DECRYPT, SIGN_VERIFY)
_MAC_BITS = {
    "HMAC_SM3": 256,
    "HMAC_SHA_224": 224,
    "HMAC_SHA_256": 256,
    "HMAC_SHA_384": 384,
    "HMAC_SHA_512": 512,
}

SPECS: Mapping[str, KeySpec] = {
    spec.name: spec
    for spec in (
        KeySpec(AES_256, Family.SYMMETRIC, 256, _CIPHER),
        KeySpec("Aliyun_AES_192", Family.SYMMETRIC, 192, _CIPHER, (HSM,)),
        KeySpec("Aliyun_AES_128", Family.SYMMETRIC, 128, _CIPHER, (HSM,)),
        KeySpec(SM4, Family.SYMMETRIC, 128, _CIPHER, (HSM,)),
        KeySpec("RSA_2048", Family.RSA, 2048, _RSA),
        KeySpec("RSA_3072", Family.RSA, 3072, _RSA),
        KeySpec("RSA_4096", Family.RSA, 4096, _RSA),
        KeySpec("EC_P256", Family.EC, 256, (SIGN_VERIFY,)),
        KeySpec("EC_P256K", Family.EC, 256, (SIGN_VERIFY,)),
        *(
            KeySpec(name, Family.MAC, bits, (GENERATE_VERIFY_MAC,), needs_instance=True)
            for name, bits in _MAC_BITS.items()
        ),
    )
}
