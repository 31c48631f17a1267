"""Which KMS providers a cluster has and in what order: one a key, the writer first.

A provider's name stands in the prefix of everything that it sealed, so each key has a name of
its own: what another key sealed is then stale to the API server, with KMS v1 as with v2.
"""

import hashlib
from dataclasses import replace

from acksim.ack.cluster import Cluster, Provider

# The provider name of Alibaba Cloud's own plugin, hence of every stored value's prefix.
PROVIDER_NAME = "grpc-kms-provider"
MOST_PROVIDERS = 8
ADDING, LEADING = "adding", "leading"


def providers_of(cluster: Cluster) -> tuple[Provider, ...]:
    """In the order in which the API server is told of them."""
    if cluster.providers or cluster.key_id is None:
        return cluster.providers
    return (_provider(cluster.id, PROVIDER_NAME, cluster.key_id),)


def writing_key(cluster: Cluster) -> str | None:
    """The key whose provider stands first; None when identity does."""
    return cluster.target_key_id if cluster.switch_stage == LEADING else cluster.key_id


def provider_for(cluster: Cluster, key_id: str) -> Provider:
    """The provider that the cluster has for a key, or would get."""
    known = providers_of(cluster)
    for provider in known:
        if provider.key_id == key_id:
            return provider
    if not known:
        return _provider(cluster.id, PROVIDER_NAME, key_id)
    return _provider(cluster.id, f"{PROVIDER_NAME}-{_digest(key_id)}", key_id)


def adding(cluster: Cluster, key_id: str | None) -> Cluster:
    """The first stage of a switch to a key, or off: its provider may be read from, after all."""
    known = providers_of(cluster)
    if key_id is not None:
        target = provider_for(cluster, key_id)
        first = [one for one in known if one.key_id == cluster.key_id and one != target]
        known = _unique((*first, target, *known))
    return replace(cluster, target_key_id=key_id, switch_stage=ADDING, providers=known)


def leading(cluster: Cluster) -> Cluster:
    """The second stage: the target writes, all others may be read from."""
    target = cluster.target_key_id
    first = [one for one in cluster.providers if one.key_id == target]
    return replace(cluster, switch_stage=LEADING, providers=_unique((*first, *cluster.providers)))


def finished(cluster: Cluster) -> Cluster:
    """After the second stage; the API server is told nothing new."""
    return replace(cluster, key_id=cluster.target_key_id, target_key_id=None, switch_stage=None)


def abandoned(cluster: Cluster) -> Cluster:
    """Back from the first stage, in which nothing was written with the target."""
    return replace(cluster, target_key_id=None, switch_stage=None)


def _unique(providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
    return tuple(dict.fromkeys(providers))


def _provider(cluster_id: str, name: str, key_id: str) -> Provider:
    own = "" if name == PROVIDER_NAME else f"-{_digest(key_id)}"
    return Provider(name, key_id, f"{cluster_id[:16]}{own}.sock")


def _digest(key_id: str) -> str:
    return hashlib.sha256(key_id.encode()).hexdigest()[:8]
