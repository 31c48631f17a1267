"""What every world begins with: a key `alias/acksim`, and a cluster `default` sealed by it."""

import asyncio

from acksim.account.credentials import RootKey
from acksim.ack.cluster import DEFAULT_CLUSTER, ClusterError
from acksim.ack.clusters import ClusterService
from acksim.clients.kms import Kms, KmsRefusedError
from acksim.settings import DEFAULT_REGION

ALIAS = "alias/acksim"


async def ensure_default_cluster(clusters: ClusterService, root: RootKey, kms: Kms) -> None:
    """Made at the first start; later starts leave both as they are, whatever became of them."""
    try:
        await clusters.get(DEFAULT_CLUSTER)
    except ClusterError:
        key_id = await asyncio.to_thread(_ensure_key, kms)
        try:
            await clusters.create(
                root.account_id,
                DEFAULT_CLUSTER,
                region=DEFAULT_REGION,
                key_id=key_id,
                cluster_id=DEFAULT_CLUSTER,
            )
        except ClusterError as error:
            if error.code != "ErrorClusterExists":
                raise
            await clusters.resume()  # another emulator on this database was faster


def _ensure_key(kms: Kms) -> str:
    try:
        key_id: str = kms.describe_key(ALIAS)["KeyId"]
    except KmsRefusedError:
        key_id = kms.create_key(description="seals the Secrets of the cluster default")["KeyId"]
        try:
            kms.call("CreateAlias", AliasName=ALIAS, KeyId=key_id)
        except KmsRefusedError:  # likewise
            kms.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
            key_id = kms.describe_key(ALIAS)["KeyId"]
    return key_id
