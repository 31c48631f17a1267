"""What every part of a server's encryption is given from outside."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Runtime:
    """Time and randomness, the release that is played, and where it is recorded.

    KMS v1 is allowed unless ``version`` says otherwise: a managed control plane would set the gate.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    token_bytes: Callable[[int], bytes] = secrets.token_bytes
    version: KubernetesVersion = field(default_factory=lambda: KubernetesVersion(kms_v1=True))
    metrics: Metrics = field(default_factory=Metrics)
