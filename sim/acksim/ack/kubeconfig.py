"""Kubeconfigs: how a user's client finds a cluster and proves who it is."""

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import yaml

from acksim.ack.cluster import Cluster
from acksim.ack.pki import KeyPair, LocalAuthority

ADMIN_USER, ADMIN_GROUP = "kubernetes-admin", "system:masters"
USERS_GROUP = "system:users"
LONG_LIVED = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class ApiServerAddress:
    """The API server as people reach it, and as the containers beside it do."""

    public: str
    private: str


@dataclass(frozen=True, slots=True)
class UserKubeconfig:
    """YAML, and when the certificate in it ends."""

    text: str = field(repr=False)
    expires: datetime


class Kubeconfigs:
    """Writes kubeconfigs with certificates of the world's authority."""

    def __init__(self, authority: LocalAuthority, address: ApiServerAddress) -> None:
        self._authority = authority
        self._address = address

    def of_admin(self, cluster: Cluster, *, private: bool = False) -> str:
        """YAML for the cluster's administrator, for either address of the API server."""
        pair = self._authority.client(ADMIN_USER, [ADMIN_GROUP], cluster.id)
        names = _Names(cluster.name, ADMIN_USER, f"{ADMIN_USER}@{cluster.name}")
        return self._document(cluster, names, pair, private=private)

    def of_user(
        self, cluster: Cluster, uid: str, *, lifetime: timedelta | None, private: bool
    ) -> UserKubeconfig:
        """For the account's owner, who may do everything, or for a RAM user or role by its uid."""
        group = ADMIN_GROUP if uid == cluster.account_id else USERS_GROUP
        pair = self._authority.client(uid, [group], cluster.id, lifetime=lifetime or LONG_LIVED)
        names = _Names("kubernetes", uid, f"{uid}-{cluster.id}")
        return UserKubeconfig(self._document(cluster, names, pair, private=private), pair.expires)

    def _document(self, cluster: Cluster, names: "_Names", pair: KeyPair, *, private: bool) -> str:
        server = self._address.private if private else self._address.public
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": names.cluster,
                    "cluster": {
                        "server": server + cluster.path,
                        "certificate-authority-data": _base64(self._authority.certificate_pem),
                    },
                }
            ],
            "users": [
                {
                    "name": names.user,
                    "user": {
                        "client-certificate-data": _base64(pair.certificate),
                        "client-key-data": _base64(pair.private_key),
                    },
                }
            ],
            "contexts": [
                {
                    "name": names.context,
                    "context": {"cluster": names.cluster, "user": names.user},
                }
            ],
            "current-context": names.context,
            "preferences": {},
        }
        return yaml.safe_dump(document, sort_keys=False)


@dataclass(frozen=True, slots=True)
class _Names:
    cluster: str
    user: str
    context: str


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
