"""The part of the control API about how a cluster's Secrets are encrypted."""

from dataclasses import asdict, replace
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from sim.ack.cluster import Cluster, ClusterError
from sim.ack.clusters import ClusterService
from sim.ack.plugins import Plugins
from sim.ack.providers import provider_for, providers_of, writing_key
from sim.ack.switching import EncryptionSwitch


class NewEncryption(BaseModel):
    """The key (id or alias) that is to seal the cluster's Secrets; null switches it off."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": '{"key_id": "alias/acksim"}'}
    )

    key_id: str | None = Field(max_length=255)


def add_encryption(
    app: FastAPI, clusters: ClusterService, switch: EncryptionSwitch, plugins: Plugins
) -> None:
    @app.get("/_sim/clusters/{cluster_id}/encryption")
    async def show_encryption(cluster_id: str) -> dict[str, Any]:
        """What new Secrets are sealed with, as the KMS tells it now, and what else is readable."""
        return await _encryption_json(await clusters.get(cluster_id), plugins)

    @app.post("/_sim/clusters/{cluster_id}/encryption", status_code=202)
    async def switch_encryption(cluster_id: str, body: NewEncryption) -> dict[str, Any]:
        key_id = body.key_id
        if key_id is not None:
            cluster = replace(await clusters.get(cluster_id), key_id=key_id)
            key_id = await plugins.resolve_key(cluster)
        cluster = await switch.begin(cluster_id, key_id)
        return {"cluster_id": cluster.id, "state": cluster.state}

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
