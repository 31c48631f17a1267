"""`cluster …`: create, list, restart, delete."""

import argparse

from acksim.cli.coverage import still_dependent
from acksim.cli.output import say, say_json, say_table
from acksim.cli.place import attached


def create(arguments: argparse.Namespace) -> int:
    version = arguments.kubernetes_version
    release = {"kubernetes_version": version} if version else {}
    cluster = attached(arguments).create_cluster(
        arguments.name, key_id=arguments.key, kms=arguments.kms, **release
    )
    if arguments.json:
        say_json(cluster)
    else:
        sealed = f"sealed by {cluster['key_id']}" if cluster["key_id"] else "not encrypted"
        say(f"cluster {cluster['cluster_id']} is running, its Secrets {sealed}")
        say(f"for kubectl: acksim kubeconfig {cluster['cluster_id']} > kubeconfig.yaml")
    return 0


def list_clusters(arguments: argparse.Namespace) -> int:
    world = attached(arguments)
    clusters = world.clusters()
    warnings = still_dependent(world, clusters)
    if arguments.json:
        say_json([{**row, "warnings": warnings.get(row["cluster_id"], [])} for row in clusters])
        return 0
    say_table(
        ("CLUSTER", "NAME", "STATE", "KMS", "KEY", "REGION"),
        [
            (
                row["cluster_id"],
                row["name"],
                row["state"],
                row["kms"] if row["key_id"] else "-",
                row["key_id"] or "none",
                row["region"],
            )
            for row in clusters
        ],
    )
    for cluster_id, texts in warnings.items():
        for text in texts:
            say(f"\n{cluster_id}: {text}")
    return 0


def restart(arguments: argparse.Namespace) -> int:
    attached(arguments).restart_cluster(arguments.cluster)
    return _done(arguments, f"the API server of {arguments.cluster} starts afresh")


def delete(arguments: argparse.Namespace) -> int:
    attached(arguments).delete_cluster(arguments.cluster)
    return _done(arguments, f"cluster {arguments.cluster} is gone")


def _done(arguments: argparse.Namespace, text: str) -> int:
    if arguments.json:
        say_json({"cluster_id": arguments.cluster, "done": True})
    else:
        say(text)
    return 0
