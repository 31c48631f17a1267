"""`acksim bench apiserver`: a world's API server through its TLS port, beside bare etcd stubs.

Create, get, list and watch without encryption, with KMS v1 and with v2, by 1 and 32 clients, in
rounds; then what many Secrets cost, what rewriting them costs, and a new logical cluster.
"""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict

import uvloop

from acksim.clients.kms import Kms
from acksim.clients.world import World
from acksim.world.launcher import ephemeral_world
from benchmarks import many_secrets
from benchmarks.ceiling import Bare, Result, measure, table
from benchmarks.load import say
from benchmarks.served import Served

PROVIDERS = ("identity", "v1", "v2")


def main(seconds: float, further: Sequence[str], *, as_json: bool) -> int:
    parser = argparse.ArgumentParser(prog="acksim bench apiserver")
    parser.add_argument("--rounds", type=int, default=3, help="of the rates")
    parser.add_argument("--secrets", type=int, default=100_000, help="of the long lists")
    parser.add_argument("--rewrites", default="100,1000,10000", help="Secrets of each rewriting")
    arguments = parser.parse_args(further)
    rewrites = [int(number) for number in arguments.rewrites.split(",") if number]
    with ephemeral_world() as (world, launcher):
        key_id = Kms.of_root(world.facts.endpoint).create_key()["KeyId"]
        server = next(one for one in launcher.supervisor.children if one.name == "apiserver")
        rounds, rewriting = [], []
        for number in range(1, arguments.rounds + 1):
            say(f"rates, round {number} of {arguments.rounds}")
            rounds.append(uvloop.run(rates(world, key_id, seconds)))
        say("new clusters")
        clusters = many_secrets.new_clusters(world, key_id)
        for provider in ("v1", "v2"):
            for number in rewrites:
                say(f"rewriting {number:,} Secrets under {provider}")
                cluster = cluster_of(world, key_id, provider)
                rewriting.append(uvloop.run(many_secrets.rewriting(world, cluster, number)))
        say(f"listing {arguments.secrets:,} Secrets")
        cluster = cluster_of(world, key_id, "v2")
        many = uvloop.run(
            many_secrets.listing(world, cluster, arguments.secrets, pid=server.pid or 0)
        )
    if as_json:
        figures = [[asdict(result) for result in results] for results in rounds]
        print(
            json.dumps(
                {"rounds": figures, "clusters": clusters, "rewriting": rewriting, "many": many}
            )
        )
        return 0
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}\n")
    if rounds:
        print(table(rounds) + "\n")
    for part in (clusters, *rewriting, many):
        print(", ".join(f"{name}: {value}" for name, value in part.items()))
    return 0


def cluster_of(world: World, key_id: str, provider: str) -> dict[str, str]:
    options = {} if provider == "identity" else {"key_id": key_id, "kms": provider}
    return world.create_cluster(f"bench-{provider}", **options)


async def rates(world: World, key_id: str, seconds: float) -> list[Result]:
    """One round: the ceiling, then each provider in a cluster of its own."""
    bare = Bare(world.facts.etcd[0])
    results = [result async for result in measure(bare, seconds)]
    await bare.close()
    for provider in PROVIDERS:
        cluster = cluster_of(world, key_id, provider)
        served = Served(provider, world, cluster)
        results += [result async for result in measure(served, seconds)]
        await served.close()
        world.delete_cluster(cluster["cluster_id"])
    return results
