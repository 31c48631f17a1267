"""The control plane's orders to the API servers, as files: one folder a cluster.

The control plane writes `spec.json` and `encryption.yaml`; an API server reads them when a
request names the cluster, and again when they change. Nothing else passes between the two, so
they may live in different processes or containers that share the folder.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from acksim.ack.pki import signing_key
from acksim.data_dir.layout import write_private
from apiserver_shim.clusters import ClusterSpec
from apiserver_shim.kubernetes_version import KubernetesVersion

_CLUSTER_ID = re.compile(r"default|c[0-9a-f]{32}")
_KEY_FILE = "service-account.key"


@dataclass(frozen=True, slots=True)
class KmsEndpoint:
    """A KMS provider as an API server knows it: the name in its prefix, and a unix socket."""

    name: str
    socket: Path


@dataclass(frozen=True, slots=True)
class Orders:
    """What the API server of a cluster is to do. `incarnation` rises to make it start afresh.

    The first of `providers` writes, all are read from; with `plaintext_first` none writes.
    """

    cluster_id: str
    etcd_prefix: str
    kms_version: str
    providers: tuple[KmsEndpoint, ...]
    plaintext_first: bool
    incarnation: int
    kubernetes_version: str


class ClusterDirectory:
    """The folder of all clusters; `find` is the API servers' ClusterSource."""

    def __init__(self, path: Path, *, authority: Path | None = None) -> None:
        """`authority`: the certificate that accounts in the clusters are told to trust."""
        self._path = path
        self._authority = authority
        self._specs: dict[str, tuple[tuple[int, int], ClusterSpec]] = {}
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, orders: Orders) -> None:
        """Each file is replaced as a whole; the spec last, because it is what gets looked at."""
        folder = self._path / orders.cluster_id
        folder.mkdir(mode=0o700, exist_ok=True)
        key = folder / _KEY_FILE
        if not key.exists():
            write_private(key, signing_key())
        write_private(folder / "encryption.yaml", configuration_text(orders))
        spec = {
            "etcd_prefix": orders.etcd_prefix,
            "incarnation": orders.incarnation,
            "kubernetes_version": orders.kubernetes_version,
        }
        write_private(folder / "spec.json", json.dumps(spec))

    def remove(self, cluster_id: str) -> None:
        shutil.rmtree(self._path / cluster_id, ignore_errors=True)

    def find(self, cluster_id: str) -> ClusterSpec | None:
        if _CLUSTER_ID.fullmatch(cluster_id) is None:
            return None
        path = f"{self._path}/{cluster_id}/spec.json"
        try:
            status = os.stat(path)  # noqa: PTH116 - asked for each request; Path.stat is slower
            stamp = (status.st_mtime_ns, status.st_ino)
            known = self._specs.get(cluster_id)
            if known is None or known[0] != stamp:
                known = self._specs[cluster_id] = (stamp, self._read(cluster_id))
        except FileNotFoundError:
            self._specs.pop(cluster_id, None)
            return None
        return known[1]

    def _read(self, cluster_id: str) -> ClusterSpec:
        folder = self._path / cluster_id
        spec = json.loads((folder / "spec.json").read_bytes())
        key = folder / _KEY_FILE
        return ClusterSpec(
            id=cluster_id,
            etcd_prefix=spec["etcd_prefix"],
            encryption_config=folder / "encryption.yaml",
            incarnation=spec["incarnation"],
            service_account_key=key if key.exists() else None,
            certificate_authority=self._authority,
            version=_version(spec),
        )


def _version(spec: dict[str, Any]) -> KubernetesVersion:
    """The release to play; an older control plane's orders named none."""
    text = spec.get("kubernetes_version")
    return KubernetesVersion.parse(text) if text else KubernetesVersion()


def configuration_text(orders: Orders) -> str:
    """The file `encryption.yaml`; API servers tell which one they serve by its hash."""
    return yaml.safe_dump(encryption_configuration(orders))


def encryption_configuration(orders: Orders) -> dict[str, object]:
    """The EncryptionConfiguration of a cluster; identity is always there: old plaintext stays."""
    providers: list[dict[str, object]] = [_kms(orders, one) for one in orders.providers]
    providers.insert(0 if orders.plaintext_first else len(providers), {"identity": {}})
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": providers}],
    }


def _kms(orders: Orders, endpoint: KmsEndpoint) -> dict[str, object]:
    kms: dict[str, object] = {
        "apiVersion": orders.kms_version,
        "name": endpoint.name,
        "endpoint": f"unix://{endpoint.socket}",
        "timeout": "3s",
    }
    if orders.kms_version == "v1":
        kms["cachesize"] = 1000
    return {"kms": kms}
