"""`acksim bench`: the first table.

Cold start to the first stored Secret; resident memory of each process; KMS Encrypt beside
moto's KMS server; Secret create and get through the whole path.
"""

import argparse
import asyncio
import base64
import json
import os
import platform
import subprocess
import sys
import time
from urllib.parse import urlsplit

from acksim.clients.alibaba import Signer
from acksim.clients.kms import Kms
from acksim.clients.world import World
from acksim.world.launcher import ephemeral_world
from benchmarks import apiserver, kms
from benchmarks.load import Rate, Target, measure, once
from benchmarks.moto import moto_server, moto_target
from benchmarks.served import SecretRequests

CLIENTS = (1, 32)
PLAINTEXT = base64.b64encode(bytes(32)).decode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="acksim bench")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--peers", required=True, help="the interpreter that has moto")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument(
        "what", nargs="?", choices=("kms", "apiserver"), help="one part alone, and closely"
    )
    arguments, further = parser.parse_known_args()
    if arguments.what == "apiserver":
        return apiserver.main(arguments.seconds, further, as_json=arguments.json)
    if further:
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    if arguments.what == "kms":
        return kms.main(arguments.seconds, arguments.peers, as_json=arguments.json)
    results = run(arguments.seconds, arguments.peers)
    if arguments.json:
        print(json.dumps(results))
    else:
        print_table(results)
    return 0


def run(seconds: float, peers: str) -> dict[str, object]:
    starts = sorted(cold_start() for _ in range(3))
    with ephemeral_world() as (world, launcher), moto_server(peers) as moto_port:
        key_id = Kms.of_root(world.facts.endpoint).create_key()["KeyId"]
        rates: dict[str, dict[str, float]] = {}
        for clients in CLIENTS:
            rates[f"acksim KMS Encrypt, {clients} clients"] = _rate(
                encrypt_target(world, key_id), clients, seconds
            )
            rates[f"moto KMS Encrypt, {clients} clients"] = _rate(
                moto_target(moto_port, "Encrypt"), clients, seconds
            )
        for kms in ("none", "v1", "v2"):
            options = {} if kms == "none" else {"key_id": key_id, "kms": kms}
            cluster = world.create_cluster(f"bench-{kms}", **options)
            for clients in CLIENTS:
                for verb in ("create", "get"):
                    target = secret_target(world, cluster, verb, clients)
                    rates[f"Secret {verb}, KMS {kms}, {clients} clients"] = _rate(
                        target, clients, seconds
                    )
        memory = {child.name: _resident_mib(child.pid) for child in launcher.supervisor.children}
    return {
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "cold start to the first stored Secret, s (min, median, max)": starts,
        "resident memory, MiB": memory,
        "rates": rates,
    }


def cold_start() -> float:
    """Seconds from nothing to a Secret that is stored under KMS."""
    begin = time.perf_counter()
    with ephemeral_world() as (world, _):
        target = secret_target(world, world.cluster("default"), "create", 0)
        if asyncio.run(once(target)) != 201:
            raise SystemExit("the first Secret was refused")
        return time.perf_counter() - begin


def _rate(target: Target, clients: int, seconds: float) -> dict[str, float]:
    rate: Rate = asyncio.run(measure(target, clients=clients, seconds=seconds))
    return {
        "per_second": round(rate.per_second, 1),
        "p50_ms": round(rate.p50, 2),
        "p99_ms": round(rate.p99, 2),
        "errors": rate.errors,
    }


def encrypt_target(world: World, key_id: str) -> Target:
    signer = Signer.of_root()
    address = urlsplit(world.facts.endpoint)

    def request(_: int) -> bytes:
        signed = signer.sign(address.netloc, "Encrypt", {"KeyId": key_id, "Plaintext": PLAINTEXT})
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
        return f"POST /?{signed.query} HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n".encode()

    return Target(address.hostname or "", address.port or 0, request)


def secret_target(world: World, cluster: dict[str, str], verb: str, salt: int) -> Target:
    """Creates new Secrets, or gets them in turn."""
    requests = SecretRequests(world, cluster)
    if verb == "create":
        return requests.target(lambda number: requests.create(f"s{salt}-{number}"))
    return requests.target(lambda number: requests.get(f"s{salt}-{number % 100}"))


def _resident_mib(pid: int | None) -> float:
    """Of the process, or of its only child where it merely guards one."""
    children = subprocess.run(
        ["ps", "-o", "rss=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    own = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    sizes = [int(line) for line in (own.stdout + children.stdout).split()]
    return round(max(sizes) / 1024, 1)


def print_table(results: dict[str, object]) -> None:
    for name, value in results.items():
        if name != "rates":
            print(f"{name}: {value}")
    rates = results["rates"]
    assert isinstance(rates, dict)
    print(f"\n{'':<44}{'a second':>10}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}")
    for name, rate in rates.items():
        print(
            f"{name:<44}{rate['per_second']:>10.0f}{rate['p50_ms']:>9.2f}"
            f"{rate['p99_ms']:>9.2f}{rate['errors']:>8}"
        )
    for clients in CLIENTS:
        ours = rates[f"acksim KMS Encrypt, {clients} clients"]["per_second"]
        theirs = rates[f"moto KMS Encrypt, {clients} clients"]["per_second"]
        print(f"KMS Encrypt, {clients} clients: {ours / theirs:.1f} times moto's server")


if __name__ == "__main__":
    sys.exit(main())
