"""A managed cluster as the control plane knows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

KmsVersion = Literal["v1", "v2"]

DEFAULT_CLUSTER = "default"


class ClusterError(Exception):
    """A request that the control plane refuses; `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Cluster:
    """One managed cluster; without `key_id` its Secrets are stored as they are."""

    id: str
    account_id: str
    region: str
    name: str
    key_id: str | None
    kms_version: KmsVersion
    incarnation: int
    created: datetime

    @property
    def etcd_prefix(self) -> str:
        return "/registry" if self.id == DEFAULT_CLUSTER else f"/clusters/{self.id}"

    @property
    def path(self) -> str:
        """Where its API begins below the API server's address."""
        return "" if self.id == DEFAULT_CLUSTER else f"/clusters/{self.id}"
