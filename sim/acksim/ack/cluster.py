"""A managed cluster as the control plane knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from alibaba_edge.errors import ApiError

KmsVersion = Literal["v1", "v2"]
State = Literal[
    "initial", "running", "updating", "unavailable", "deleting", "failed", "delete_failed"
]

DEFAULT_CLUSTER = "default"
PRO_SPECS = frozenset({"ack.pro.small", "ack.pro.xlarge", "ack.pro.2xlarge", "ack.pro.4xlarge"})
KUBERNETES_VERSION = "1.32.0-aliyun.1"


class ClusterError(ApiError):
    """A request that the control plane refuses; `code` is for programs."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One KMS provider of a cluster's EncryptionConfiguration, and the plugin behind it.

    `name` is in the prefix of what it sealed; `socket` is a file name among the world's sockets.
    """

    name: str
    key_id: str
    socket: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """One managed cluster; without `key_id` its Secrets are stored as they are.

    `options`: what a request gave and the answers repeat, such as `vpcid`; nothing here acts on it.
    `creator` is the uid of who made it. `task_id` names the task that changes it now.

    The encryption switch is in progress while `switch_stage` is set; it goes to `target_key_id`,
    or off without one. `providers` are in the order in which the API server is told of them; an
    empty list is that of a cluster never switched: its one key, if it has one.
    """

    id: str
    account_id: str
    region: str
    name: str
    key_id: str | None
    kms_version: KmsVersion
    incarnation: int
    created: datetime
    updated: datetime
    creator: str
    cluster_type: str = "ManagedKubernetes"
    profile: str = "Default"
    cluster_spec: str = "ack.pro.small"
    kubernetes_version: str = KUBERNETES_VERSION
    state: State = "running"
    deletion_protection: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    task_id: str | None = None
    target_key_id: str | None = None
    switch_stage: str | None = None
    last_switch: datetime | None = None
    providers: tuple[Provider, ...] = ()

    @property
    def etcd_prefix(self) -> str:
        return "/registry" if self.id == DEFAULT_CLUSTER else f"/clusters/{self.id}"

    @property
    def path(self) -> str:
        """Where its API begins below the API server's address."""
        return "" if self.id == DEFAULT_CLUSTER else f"/clusters/{self.id}"

    @property
    def pro(self) -> bool:
        """Whether it is an ACK Pro or ACK Serverless Pro cluster: those alone encrypt Secrets."""
        return (
            self.cluster_type == "ManagedKubernetes"
            and self.profile in {"Default", "Serverless"}
            and self.cluster_spec in PRO_SPECS
        )
