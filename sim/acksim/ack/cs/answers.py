"""What CS 2015-12-15 answers: bodies in Alibaba Cloud's spelling."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from acksim.ack.cluster import Cluster
from acksim.ack.events import ClusterEvent
from acksim.ack.grants import ALL_CLUSTERS, Grant
from acksim.ack.kubeconfig import ApiServerAddress
from acksim.ack.tasks import Task

_CHINA = timezone(timedelta(hours=8))

Body = dict[str, Any]


def begun(cluster: Cluster, request_id: str) -> Body:
    """Of an operation that goes on as a task."""
    return {"cluster_id": cluster.id, "request_id": request_id, "task_id": cluster.task_id}


def time_text(time: datetime) -> str:
    return time.astimezone(_CHINA).isoformat(timespec="seconds")


def cluster_item(cluster: Cluster) -> Body:
    """As DescribeClustersForRegion lists it."""
    options = cluster.options
    return {
        "cluster_id": cluster.id,
        "name": cluster.name,
        "region_id": cluster.region,
        "zone_id": options.get("zone_id", ""),
        "state": cluster.state,
        "cluster_type": cluster.cluster_type,
        "profile": cluster.profile,
        "cluster_spec": cluster.cluster_spec,
        "init_version": cluster.kubernetes_version,
        "current_version": cluster.kubernetes_version,
        "next_version": "",
        "created": time_text(cluster.created),
        "updated": time_text(cluster.updated),
        "size": 0,
        "vpc_id": options.get("vpcid", ""),
        "vswitch_ids": options.get("vswitch_ids", []),
        "security_group_id": options.get("security_group_id", ""),
        "resource_group_id": options.get("resource_group_id", ""),
        "service_cidr": options.get("service_cidr", ""),
        "container_cidr": options.get("container_cidr", ""),
        "proxy_mode": options.get("proxy_mode", "ipvs"),
        "ip_stack": options.get("ip_stack", "ipv4"),
        "cluster_domain": options.get("cluster_domain", "cluster.local"),
        "timezone": options.get("timezone", ""),
        "deletion_protection": cluster.deletion_protection,
        "tags": [{"key": key, "value": value} for key, value in sorted(cluster.tags.items())],
    }


def listed_cluster(cluster: Cluster, address: ApiServerAddress) -> Body:
    """As DescribeClustersV1 lists it."""
    options = cluster.options
    return cluster_item(cluster) | {
        "subnet_cidr": options.get("container_cidr", ""),
        "network_mode": "vpc",
        "vswitch_id": ",".join(options.get("vswitch_ids", [])),
        "private_zone": False,
        "docker_version": "",
        "external_loadbalancer_id": "",
        "worker_ram_role_name": "",
        "maintenance_window": options.get("maintenance_window", {}),
        "operation_policy": options.get("operation_policy", {}),
        "master_url": _json(
            {
                "api_server_endpoint": address.public + cluster.path,
                "intranet_api_server_endpoint": address.private + cluster.path,
            }
        ),
        "meta_data": _json(_metadata(cluster)),
    }


def cluster_detail(cluster: Cluster, address: ApiServerAddress) -> Body:
    options = cluster.options
    return listed_cluster(cluster, address) | {
        "node_cidr_mask": options.get("node_cidr_mask", ""),
        "parameters": {
            "ServiceCIDR": options.get("service_cidr", ""),
            "ContainerCIDR": options.get("container_cidr", ""),
            "ProxyMode": options.get("proxy_mode", "ipvs"),
        },
        "rrsa_config": {"enabled": False},
        "auto_mode": {"enable": False},
        "extra_sans": [],
    }


def _metadata(cluster: Cluster) -> Body:
    """`meta_data`: the one place where ACK shows whether and by which key Secrets are encrypted."""
    return {
        "Capabilities": {
            "DisableEncryption": cluster.key_id is None,
            "EncryptionKMSKeyId": cluster.key_id or "",
            "NodeCIDRMask": cluster.options.get("node_cidr_mask", ""),
        },
        "ExtraCertSAN": [],
        "RRSAConfig": {"enabled": False},
    }


def page(key: str, items: Sequence[Body], *, number: int, size: int, total: int) -> dict[str, Any]:
    info = {"page_number": number, "page_size": size, "total_count": total}
    return {key: list(items), "page_info": info}


def event(found: ClusterEvent) -> Body:
    return {
        "event_id": found.id,
        "type": found.type,
        "source": found.source,
        "subject": found.cluster_id,
        "time": time_text(found.time),
        "cluster_id": found.cluster_id,
        "data": {"level": found.level, "reason": found.reason, "message": found.message},
    }


def task(found: Task, events: Sequence[ClusterEvent]) -> Body:
    failed = {"code": found.error_code, "message": found.error_message}
    return {
        "task_id": found.id,
        "cluster_id": found.cluster_id,
        "task_type": found.type,
        "state": found.state,
        "created": time_text(found.created),
        "updated": time_text(found.updated),
        "current_stage": found.stages[-1].name if found.stages else "",
        "target": {"id": found.cluster_id, "type": "cluster"},
        "parameters": dict(found.parameters),
        "stages": [
            {
                "state": one.state,
                "start_time": time_text(one.begun),
                "end_time": time_text(one.ended) if one.ended else "",
                "message": one.message or one.name,
                "outputs": {},
            }
            for one in found.stages
        ],
        "events": [
            {
                "action": one.type,
                "level": one.level,
                "message": one.message,
                "reason": one.reason,
                "source": one.source,
                "timestamp": time_text(one.time),
            }
            for one in events
        ],
        "task_result": [],
        "error": failed if found.error_code else {},
    }


def permission(grant: Grant) -> Body:
    wide = "all-clusters" if grant.cluster_id == ALL_CLUSTERS else grant.cluster_id
    return {
        "resource_id": f"{wide}/{grant.namespace}" if grant.namespace else wide,
        "resource_type": "namespace" if grant.namespace else "cluster",
        "role_name": grant.role_name,
        "role_type": "custom" if grant.custom else grant.role_name,
        "is_owner": 0,
        "is_ram_role": int(grant.of_role),
    }


def ownership(cluster: Cluster) -> Body:
    """Of the RAM user or role that made the cluster."""
    grant = Grant(cluster.id, "", "cluster-admin", custom=True)
    return permission(grant) | {"role_type": "admin", "is_owner": 1}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
