"""Kubeconfigs: how a user's client finds a cluster and proves who it is."""

import base64
from dataclasses import dataclass

import yaml

from sim.ack.cluster import Cluster
from sim.ack.pki import LocalAuthority

ADMIN_USER, ADMIN_GROUP = "kubernetes-admin", "system:masters"


@dataclass(frozen=True, slots=True)
class ApiServerAddress:
    """The API server as people reach it, and as the containers beside it do."""

    public: str
    private: str


class Kubeconfigs:
    """Writes kubeconfigs with certificates of the world's authority."""

    def __init__(self, authority: LocalAuthority, address: ApiServerAddress) -> None:
        self._authority = authority
        self._address = address

    def of_admin(self, cluster: Cluster, *, private: bool = False) -> str:
        """YAML for the cluster's administrator, for either address of the API server."""
        server = self._address.private if private else self._address.public
        pair = self._authority.client(ADMIN_USER, [ADMIN_GROUP], cluster.id)
        context = f"{ADMIN_USER}@{cluster.name}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": cluster.name,
                    "cluster": {
                        "server": server + cluster.path,
                        "certificate-authority-data": _base64(self._authority.certificate_pem),
                    },
                }
            ],
            "users": [
                {
                    "name": ADMIN_USER,
                    "user": {
                        "client-certificate-data": _base64(pair.certificate),
                        "client-key-data": _base64(pair.private_key),
                    },
                }
            ],
            "contexts": [
                {"name": context, "context": {"cluster": cluster.name, "user": ADMIN_USER}}
            ],
            "current-context": context,
            "preferences": {},
        }
        return yaml.safe_dump(document, sort_keys=False)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
