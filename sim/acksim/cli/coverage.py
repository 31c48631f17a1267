"""`cluster coverage`: what each stored Secret depends on, and whether a key may be deleted."""

import argparse
import asyncio
import re
from collections.abc import Sequence
from typing import Any

from acksim.ack.coverage import Coverage, Wanted, survey
from acksim.ack.dependence import KeyInQuestion, dependence, keys_of, known_keys
from acksim.cli.output import say, say_json, say_table
from acksim.cli.place import attached
from acksim.clients.world import World, WorldError
from apiserver_shim.storage.etcd import EtcdClient

_ARN = re.compile(r"acs:kms:(?P<region>[^:]+):(?P<account>\d+):(key|alias)/.+")


def coverage(arguments: argparse.Namespace) -> int:
    world = attached(arguments)
    clusters = [world.cluster(arguments.cluster)] if arguments.cluster else world.clusters()
    found = asyncio.run(_survey(world.facts.etcd, clusters))
    encryptions = [world.encryption(cluster["cluster_id"]) for cluster in clusters]
    told = list(zip(clusters, found, encryptions, strict=True))
    if arguments.key is not None:
        return _judge(arguments, world, told)
    shown = [cluster_json(*one) for one in told]
    if arguments.json:
        say_json(shown)
        return 0
    heads = ("CLUSTER", "SECRETS", "SEALED BY", "KEY", "KEY VERSION", "NOTE")
    say_table(heads, [row for one in shown for row in _rows(one)])
    for one in shown:
        for warning in one["warnings"]:
            say(f"\n{one['cluster_id']}: {warning}")
    return 0


def still_dependent(world: World, clusters: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Of clusters that are switched off: what their stored Secrets depend on all the same."""
    off = [one for one in clusters if one["key_id"] is None and one["providers"]]
    surveys = asyncio.run(_survey(world.facts.etcd, off)) if off else []
    return {
        cluster["cluster_id"]: [
            _still_dependent(cluster, count, keys_of(cluster).get(seal.provider))
            for seal, count in found.groups()
            if seal.provider is not None
        ]
        for cluster, found in zip(off, surveys, strict=True)
    }


Told = Sequence[tuple[dict[str, Any], Coverage, dict[str, Any]]]


async def _survey(endpoints: Sequence[str], clusters: Sequence[dict[str, Any]]) -> list[Coverage]:
    etcd = EtcdClient(endpoints)
    try:
        return [await survey(etcd, cluster["etcd_prefix"]) for cluster in clusters]
    finally:
        await etcd.close()


def cluster_json(
    cluster: dict[str, Any], found: Coverage, encryption: dict[str, Any]
) -> dict[str, Any]:
    """One cluster's coverage for programs."""
    wanted, keys = Wanted.of(encryption), keys_of(cluster)
    groups = [
        {
            "provider": seal.provider,
            "kms": seal.kms,
            "key_id": seal.key_id or keys.get(seal.provider or ""),
            "key_version": seal.key_version,
            "secrets": count,
            "current": wanted.is_met(seal),
        }
        for seal, count in found.groups()
    ]
    return {
        "cluster_id": cluster["cluster_id"],
        "name": cluster["name"],
        "secrets": found.total,
        "key_id": encryption["key_id"],
        "key_version": encryption["key_version"],
        "switch_stage": encryption["switch_stage"],
        "groups": groups,
        "warnings": _warnings(cluster, encryption, groups),
    }


def _warnings(
    cluster: dict[str, Any], encryption: dict[str, Any], groups: Sequence[dict[str, Any]]
) -> list[str]:
    warnings = []
    if encryption["problem"] is not None:
        warnings.append(f"its key cannot be used: {encryption['problem']}")
    if encryption["switch_stage"] is not None:
        warnings.append("its encryption is being switched")
    elif encryption["key_id"] is None:
        warnings += [
            _still_dependent(cluster, group["secrets"], group["key_id"])
            for group in groups
            if group["provider"] is not None
        ]
    return warnings


def _still_dependent(cluster: dict[str, Any], secrets: int, key_id: str | None) -> str:
    return (
        f"its encryption is switched off, yet {secrets} Secrets depend on key "
        f"{key_id or 'unknown'}; `acksim cluster rewrite {cluster['cluster_id']}` frees them of it"
    )


def _rows(shown: dict[str, Any]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [
        (
            shown["cluster_id"],
            group["secrets"],
            f"kms:{group['kms']} {group['provider']}" if group["provider"] else "nobody: plaintext",
            group["key_id"] or "-",
            group["key_version"] or "-",
            "as new ones" if group["current"] else "stale",
        )
        for group in shown["groups"]
    ]
    return rows or [(shown["cluster_id"], 0, "-", "-", "-", "-")]


def _judge(arguments: argparse.Namespace, world: World, told: Told) -> int:
    key = _key_in_question(world, arguments.key, told)
    needs = [
        dependence(key, cluster, found, encryption["key_version"])
        for cluster, found, encryption in told
    ]
    secrets = sum(need.secrets for need in needs)
    if arguments.json:
        clusters = [
            {"cluster_id": need.cluster_id, "secrets": need.secrets, "use": need.use}
            for need in needs
            if need
        ]
        say_json({"key": arguments.key, "needed": any(needs), "secrets": secrets, "by": clusters})
    elif not any(needs):
        say(f"no stored Secret depends on {arguments.key}: it may be deleted")
    else:
        say(f"{secrets} stored Secrets depend on {arguments.key}: do not delete it")
        for need in filter(None, needs):
            use = f"; {need.use}" if need.use else ""
            say(f"cluster {need.cluster_id}: {need.secrets} Secrets{use}")
    return 1 if any(needs) else 0


def _key_in_question(world: World, name: str, told: Told) -> KeyInQuestion:
    """As the KMS knows it, else as clusters or stored values do: a wrong name is never safe."""
    refusal = None
    for scope in _scopes(name, told):
        try:
            found = world.key_versions(name, **scope)
            return KeyInQuestion(found["key_id"], frozenset(found["versions"]))
        except WorldError as error:
            refusal = refusal or error
    seals = [seal for _, found, _ in told for seal in found.secrets]
    key_id = name.rpartition("/")[2]
    if key_id in known_keys([cluster for cluster, _, _ in told]):
        return KeyInQuestion(key_id, _versions_by_provider(key_id, told))
    if key_id in {seal.key_id for seal in seals}:
        return KeyInQuestion(key_id, frozenset())
    if name in {seal.key_version for seal in seals}:
        return KeyInQuestion(None, frozenset([name]))
    raise WorldError(f"no cluster knows a key or key version {name}, and the KMS says: {refusal}")


def _scopes(name: str, told: Told) -> list[dict[str, str]]:
    """Where to look for a key: as its ARN says; else first in the main account, then in others."""
    if arn := _ARN.fullmatch(name):
        return [{"account_id": arn["account"], "region": arn["region"]}]
    if name.startswith("alias/"):  # elsewhere it may name another key
        return [{}]
    others = {(cluster["account_id"], cluster["region"]) for cluster, _, _ in told}
    return [{}, *({"account_id": one, "region": region} for one, region in sorted(others))]


def _versions_by_provider(key_id: str, told: Told) -> frozenset[str]:
    """Of a key that is gone: the versions that its providers used."""
    return frozenset(
        seal.key_version
        for cluster, found, _ in told
        for seal in found.secrets
        if seal.key_version is not None and keys_of(cluster).get(seal.provider or "") == key_id
    )
