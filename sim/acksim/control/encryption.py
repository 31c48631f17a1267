"""The part of the control API about how a cluster's Secrets are encrypted."""

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI

from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.clusters import ClusterService
from acksim.ack.plugins import Plugins
from acksim.ack.providers import provider_for, providers_of, writing_key
from acksim.ack.switching import EncryptionSwitch


def add_encryption(
    app: FastAPI, clusters: ClusterService, switch: EncryptionSwitch, plugins: Plugins
) -> None:
    @app.get("/_sim/clusters/{cluster_id}/encryption")
    async def show_encryption(cluster_id: str) -> dict[str, Any]:
        """What new Secrets are sealed with, as the KMS tells it now, and what else is readable."""
        return await _encryption_json(await clusters.get(cluster_id), plugins)

    @app.post("/_sim/clusters/{cluster_id}/encryption/drop-unneeded")
    async def drop_unneeded(cluster_id: str) -> dict[str, Any]:
        """Drops the providers that no stored Secret depends on."""
        return {"dropped": [asdict(one) for one in await switch.drop_unneeded(cluster_id)]}


async def _encryption_json(cluster: Cluster, plugins: Plugins) -> dict[str, Any]:
    key_id, key_version, problem = writing_key(cluster), None, None
    if key_id is not None:
        try:
            key = await plugins.describe_key(cluster, key_id)
            key_version = key.primary_version
            if key.state != "Enabled":
                problem = f"Rejected.{key.state}: the key is {key.state}"
        except ClusterError as error:
            problem = f"{error.code}: {error.message}"
    return {
        "cluster_id": cluster.id,
        "kms": cluster.kms_version,
        "key_id": key_id,
        "key_version": key_version,
        "provider": None if key_id is None else provider_for(cluster, key_id).name,
        "problem": problem,
        "switch_stage": cluster.switch_stage,
        "target_key_id": cluster.target_key_id,
        "providers": [asdict(one) for one in providers_of(cluster)],
    }
