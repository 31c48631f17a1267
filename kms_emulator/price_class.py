"""What a key costs as, in the classic price list: its calls, and the keeping of its versions.

"Billing of KMS": keys that a cloud service keeps for the account are free; SM2, RSA of more than
2048 bits and EC keys are advanced; a software-protected key is kept for one low price.
"""

from __future__ import annotations

from typing import Literal

from kms_emulator.keys import Key
from kms_emulator.specs import SOFTWARE, SPECS, Family

CallClass = Literal["service", "basic", "advanced"]
HostingClass = Literal["service", "software", "basic", "advanced"]


def call_class(key: Key) -> CallClass:
    if key.creator != key.scope.account_id:
        return "service"
    spec = SPECS.get(key.spec)
    asymmetric = spec is not None and spec.family in {Family.RSA, Family.EC}
    return "advanced" if asymmetric and key.spec != "RSA_2048" else "basic"


def hosting_class(key: Key) -> HostingClass:
    calls = call_class(key)
    if calls == "service":
        return "service"
    return "software" if key.protection_level == SOFTWARE else calls
