"""Whether anything depends on a key, or on one version of it: may it be deleted?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acksim.ack.coverage import Coverage, Seal


@dataclass(frozen=True, slots=True)
class KeyInQuestion:
    """A key with all its versions, or (without `key_id`) one version alone."""

    key_id: str | None
    versions: frozenset[str]

    def sealed(self, seal: Seal, key_of_provider: Mapping[str, str]) -> bool:
        """By its version; where no version can be read, by the key of the provider."""
        if seal.key_version is not None:
            return seal.key_version in self.versions or self._is(seal.key_id)
        return seal.provider is not None and self._is(key_of_provider.get(seal.provider))

    def _is(self, key_id: str | None) -> bool:
        return key_id is not None and key_id == self.key_id


@dataclass(frozen=True, slots=True)
class Dependence:
    """What one cluster needs a key for; neither: nothing."""

    cluster_id: str
    secrets: int
    use: str | None

    def __bool__(self) -> bool:
        return self.secrets > 0 or self.use is not None


def dependence(
    key: KeyInQuestion, cluster: Mapping[str, Any], coverage: Coverage, version_in_use: str | None
) -> Dependence:
    """Of a cluster as the control API shows it; `version_in_use` seals its new Secrets."""
    secrets = sum(
        count for seal, count in coverage.secrets.items() if key.sealed(seal, keys_of(cluster))
    )
    return Dependence(cluster["cluster_id"], secrets, _use(key, cluster, version_in_use))


def keys_of(cluster: Mapping[str, Any]) -> dict[str, str]:
    """The key of each provider of a cluster as the control API shows it."""
    return {provider["name"]: provider["key_id"] for provider in cluster["providers"]}


def known_keys(clusters: Sequence[Mapping[str, Any]]) -> set[str]:
    """Every key that some cluster was told of."""
    return {key_id for cluster in clusters for key_id in keys_of(cluster).values()}


def _use(key: KeyInQuestion, cluster: Mapping[str, Any], version_in_use: str | None) -> str | None:
    if version_in_use is not None and version_in_use in key.versions:
        return "new Secrets are sealed with it"
    if key.key_id is None:
        return None
    if key.key_id in {cluster["key_id"], cluster["target_key_id"]}:
        return "new Secrets are sealed with it"
    if key.key_id in keys_of(cluster).values():
        return (
            "its API server still holds it ready, and would not be without it: "
            f"`acksim cluster rewrite {cluster['cluster_id']}` ends that"
        )
    return None
