"""Which Kubernetes release a server passes for, where upstream changed what clients see.

k8s.io/apiserver pkg/features and server/options/encryptionconfig at the release tags.
"""

import re
from dataclasses import dataclass

OLDEST, NEWEST = 27, 37
_TEXT = re.compile(r"v?(1\.([0-9]{1,3})(\.[0-9]{1,3}(?:-[0-9A-Za-z.]{1,32})?)?)")


@dataclass(frozen=True, slots=True)
class KubernetesVersion:
    """Kubernetes 1.``minor``, and its feature gates where they are set; None: its default.

    ``release`` is its full name, such as ``1.32.5-aliyun.1``; else it is the first of its minor.
    """

    minor: int = 32
    release: str = ""
    kms_v1: bool | None = None
    unsafe_deletion: bool | None = None

    @classmethod
    def parse(cls, text: str) -> "KubernetesVersion":
        """Read ``1.32``, ``v1.32``, ``1.32.5`` or ``1.32.5-aliyun.1``; raises ValueError."""
        match = _TEXT.fullmatch(text)
        if match is None or not OLDEST <= int(match[2]) <= NEWEST:
            raise ValueError(f"Kubernetes version {text!r}: expected 1.{OLDEST} to 1.{NEWEST}")
        return cls(int(match[2]), release=match[1] if match[3] else "")

    @property
    def git_version(self) -> str:
        """Return the version as ``/version`` tells it."""
        return f"v{self.release}" if self.release else f"v1.{self.minor}.0"

    @property
    def allows_kms_v1(self) -> bool:
        """Feature gate KMSv1: off by default since 1.29."""
        return self.minor < 29 if self.kms_v1 is None else self.kms_v1

    @property
    def allows_unsafe_deletion(self) -> bool:
        """Feature gate AllowUnsafeMalformedObjectDeletion: since 1.32, on by default since 1.37.

        With it come other words for objects that cannot be read (CorruptObjectError and
        UnreadableListError instead of TransformError).
        """
        default = self.minor >= 37 if self.unsafe_deletion is None else self.unsafe_deletion
        return self.minor >= 32 and default

    @property
    def kms_in_livez(self) -> bool:
        """Whether ``/livez`` contains the KMS checks: until 1.28."""
        return self.minor < 29

    @property
    def plugin_versions(self) -> tuple[str, ...]:
        """Return the version strings that a KMS v2 plugin's Status may answer."""
        return ("v2beta1",) if self.minor < 29 else ("v2", "v2beta1")
