"""The official Kubernetes client with the kubeconfig that the control plane gives out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from alibabacloud_cs20151215 import models
from kubernetes import client as kubernetes
from kubernetes import config


def user_kubeconfig(client: Any, cluster_id: str) -> dict[str, Any]:
    request = models.DescribeClusterUserKubeconfigRequest(temporary_duration_minutes=60)
    text = client.describe_cluster_user_kubeconfig(cluster_id, request).body.config
    document: dict[str, Any] = yaml.safe_load(text)
    return document


@contextmanager
def core_v1(client: Any, cluster_id: str) -> Iterator[Any]:
    """As whoever `client` is, or with a kubeconfig's own text."""
    if isinstance(client, str):
        document = yaml.safe_load(client)
    else:
        document = user_kubeconfig(client, cluster_id)
    api = config.new_client_from_config_dict(document)
    try:
        yield kubernetes.CoreV1Api(api)
    finally:
        api.close()
