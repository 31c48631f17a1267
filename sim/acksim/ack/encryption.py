"""UpdateKMSEncryption: the conditions under which a cluster's encryption may be switched.

In the order of asking: what the cluster is, who asks, whether the control plane may use keys at
all, whether this key will do, and when the last switch was. The switch itself is done elsewhere.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from acksim.account.ram.roles import MANAGED_SECURITY_ROLE
from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.events import ClusterEvents
from acksim.ack.grants import OPERATORS, Asker, Grants
from acksim.ack.service_roles import ServiceRoles
from acksim.ack.tasks import Tasks, new_task_id
from alibaba_edge.client.kms import KeyDescription

COOL_DOWN = timedelta(minutes=5)
TASK_TYPE = "cluster_kms_encryption_update"
EVENT_TYPE = "cluster_configuration_modify"
_AUTHORIZATION = "https://cs.console.aliyun.com/#/authorize"
_ARN_REGION = 2  # acs:kms:<region>:<account>:key/<id>

DescribeKey = Callable[[Cluster, str], Awaitable[KeyDescription]]
"""A key as the cluster's role finds it; raises ClusterError."""


class Switch(Protocol):
    """Brings about what was decided, in the background, and takes up what a crash left."""

    async def begin(self, cluster_id: str, key_id: str | None, **changes: object) -> Cluster:
        """The cluster as put down: `updating`, on its way to the key, or to none.

        Sets `changes` with it. Raises ClusterError `ErrorClusterState` unless it was `running`.
        """


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked for: a key by id, alias or ARN, or no encryption."""

    key_id: str
    disable: bool


class Encryption:
    """Switches encryption on, off or to another key, if all conditions hold."""

    def __init__(  # noqa: PLR0913 - each room that has a say
        self,
        *,
        tasks: Tasks,
        events: ClusterEvents,
        keys: DescribeKey,
        roles: ServiceRoles,
        grants: Grants,
        switch: Switch,
        now: Callable[[], datetime],
    ) -> None:
        self._tasks = tasks
        self._events = events
        self._keys = keys
        self._roles = roles
        self._grants = grants
        self._switch = switch
        self._now = now

    async def update(self, cluster: Cluster, asker: Asker, change: Change) -> Cluster:
        """The cluster on its way; raises ClusterError, each condition with a code of its own."""
        require_pro(cluster)
        if not await self._grants.holds(cluster, asker, OPERATORS):
            raise ClusterError(
                "ForbiddenUpdateKMSState",
                "the RAM user or RAM role needs the RBAC role administrator or O&M engineer on "
                f"cluster {cluster.id}; see GrantPermissions",
            )
        _require_running(cluster)
        self._require_rest(cluster)
        target = None if change.disable else await self.usable_key(cluster, change.key_id)
        if target == cluster.key_id:
            now = "not encrypted" if target is None else f"encrypted with {target}"
            raise ClusterError("InvalidParameter", f"the Secrets of {cluster.id} are {now} already")
        return await self._begin(cluster, target)

    async def usable_key(self, cluster: Cluster, key_id: str) -> str:
        """The plain id of a key that may encrypt this cluster's Secrets; raises ClusterError."""
        if not await self._roles.granted(cluster.account_id, MANAGED_SECURITY_ROLE):
            raise ClusterError(
                "ErrManagedSecurityRoleNotAttach",
                f"please complete the security ramrole authorization at {_AUTHORIZATION}",
            )
        if not key_id:
            raise ClusterError("InvalidParameter", "kms_key_id is needed to encrypt Secrets")
        arn = key_id.split(":")
        if len(arn) > _ARN_REGION and arn[_ARN_REGION] != cluster.region:
            raise ClusterError(
                "InvalidKMSKey.Region",
                f"the key is in {arn[_ARN_REGION]}, the cluster in {cluster.region}; a cluster "
                "takes keys of its own region",
            )
        try:
            key = await self._keys(cluster, key_id)
        except ClusterError as error:
            raise ClusterError(
                "InvalidKMSKey.NotFound",
                f"no key {key_id!r} to be had in {cluster.region}: {error.code}: {error.message}",
            ) from None
        _check_key(cluster, key)
        return key.key_id

    async def _begin(self, cluster: Cluster, target: str | None) -> Cluster:
        task_id = new_task_id()
        await self._tasks.begin(cluster, TASK_TYPE, task_id=task_id, kms_key_id=target or "")
        await self._tasks.stage(task_id, "switch", _direction(target))
        try:
            begun = await self._switch.begin(cluster.id, target, task_id=task_id)
        except ClusterError as error:
            await self._tasks.end(task_id, error)
            raise
        await self._events.add(begun, EVENT_TYPE, "KMSEncryptionUpdating", _direction(target))
        return begun

    def _require_rest(self, cluster: Cluster) -> None:
        if cluster.last_switch is None:
            return
        left = cluster.last_switch + COOL_DOWN - self._now()
        if left > timedelta():
            raise ClusterError(
                "ErrorUpdateKMSTooFrequent",
                f"the encryption of {cluster.id} was switched at "
                f"{cluster.last_switch:%Y-%m-%dT%H:%M:%SZ}; try again in "
                f"{max(1, round(left.total_seconds()))} seconds",
            )


class SwitchReport:
    """Writes down how a switch ended."""

    def __init__(self, tasks: Tasks, events: ClusterEvents) -> None:
        self._tasks = tasks
        self._events = events

    async def __call__(self, cluster: Cluster, failure: str | None) -> None:
        if failure is None:
            state = f"encrypted with {cluster.key_id}" if cluster.key_id else "not encrypted"
            message = f"new Secrets are {state}; older ones stay as they are until rewritten"
            await self._events.add(cluster, EVENT_TYPE, "KMSEncryptionUpdated", message)
            await self._tasks.end(cluster.task_id)
            return
        await self._events.add(
            cluster, EVENT_TYPE, "KMSEncryptionUpdateFailed", failure, level="error"
        )
        await self._tasks.end(cluster.task_id, ClusterError("ErrorUpdateKMSState", failure))


def require_pro(cluster: Cluster) -> None:
    if not cluster.pro:
        kind = f"{cluster.cluster_type}, {cluster.profile}, {cluster.cluster_spec}"
        raise ClusterError(
            "ErrorClusterSpecNotSupported",
            "Secret encryption is supported on ACK Pro and ACK Serverless Pro clusters; "
            f"{cluster.id} is {kind}",
        )


def _require_running(cluster: Cluster) -> None:
    if cluster.state != "running":
        raise ClusterError(
            "ErrorClusterState", f"cluster {cluster.id} is {cluster.state}; wait until it runs"
        )


def _check_key(cluster: Cluster, key: KeyDescription) -> None:
    """In an order that names the most lasting obstacle first."""
    if key.creator != cluster.account_id:
        raise ClusterError("InvalidKMSKey.ServiceKey", f"{key.key_id} is a service key of KMS")
    if key.spec != "Aliyun_AES_256":
        raise ClusterError(
            "InvalidKMSKey.KeySpec", f"{key.key_id} is {key.spec}; Aliyun_AES_256 is supported"
        )
    if key.usage != "ENCRYPT/DECRYPT":
        raise ClusterError(
            "InvalidKMSKey.KeyUsage", f"{key.key_id} is for {key.usage}, not for ENCRYPT/DECRYPT"
        )
    if key.state != "Enabled":
        raise ClusterError(
            "InvalidKMSKey.KeyState", f"{key.key_id} is {key.state}; enable it, or take another"
        )


def _direction(target: str | None) -> str:
    return f"Secrets are to be encrypted with {target}" if target else "encryption is switched off"
