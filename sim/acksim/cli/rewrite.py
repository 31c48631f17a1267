"""`cluster rewrite`: the storage migration, with progress on standard error."""

import argparse
import asyncio
import sys
import time
from datetime import datetime
from typing import Any

import httpx

from acksim.ack.coverage import Wanted
from acksim.ack.rewriting import Progress, Rewriter
from acksim.cli.output import say, say_json
from acksim.cli.place import attached
from acksim.clients.kubernetes import kubernetes_access
from acksim.clients.world import World, WorldError
from apiserver_shim.storage.etcd import EtcdClient

_EVERY_SECONDS = 2.0
_TIMEOUT_SECONDS = 60.0
_MOST_SHOWN = 10


def rewrite(arguments: argparse.Namespace) -> int:
    world = attached(arguments)
    cluster_id = arguments.cluster
    cluster, encryption = world.cluster(cluster_id), world.encryption(cluster_id)
    if encryption["switch_stage"] is not None:
        raise WorldError(f"the encryption of {cluster_id} is being switched; wait until it runs")
    if encryption["problem"] is not None:
        raise WorldError(f"the key of {cluster_id} cannot be used: {encryption['problem']}")
    done = asyncio.run(_run(world, cluster, encryption, arguments.concurrency))
    dropped = world.drop_unneeded_providers(cluster_id)
    if arguments.json:
        counts = {"seen": done.seen, "rewritten": done.rewritten, "failed": done.failed}
        say_json({"cluster_id": cluster_id, **counts, "dropped": dropped})
    else:
        _say(done, dropped)
    return 1 if done.failed else 0


async def _run(
    world: World, cluster: dict[str, Any], encryption: dict[str, Any], concurrency: int
) -> Progress:
    access = kubernetes_access(world.kubeconfig(cluster["cluster_id"]))
    etcd = EtcdClient(world.facts.etcd)
    try:
        async with httpx.AsyncClient(
            base_url=access.server,
            verify=access.context,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            limits=httpx.Limits(max_connections=concurrency),
        ) as http:
            rewriter = Rewriter(
                http,
                etcd,
                cluster["etcd_prefix"],
                wanted=Wanted.of(encryption),
                moment=datetime.fromisoformat(world.clock()["now"]),
                concurrency=concurrency,
            )
            return await rewriter.run(_Reporter())
    finally:
        await etcd.close()


class _Reporter:
    """A line now and then, on a terminal over the one before."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _EVERY_SECONDS

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_SECONDS
        failed = f", {len(progress.failed)} failed" if progress.failed else ""
        text = f"{progress.seen} Secrets looked at, {progress.rewritten} rewritten{failed}"
        end = "\r" if sys.stderr.isatty() else "\n"
        print(text, end=end, file=sys.stderr, flush=True)


def _say(done: Progress, dropped: list[dict[str, Any]]) -> None:
    say(f"{done.rewritten} of {done.seen} Secrets rewritten; the others were as new ones are")
    for provider in dropped:
        say(
            f"provider {provider['name']} is dropped: no Secret depends on key {provider['key_id']}"
        )
    for etcd_key, reason in list(done.failed.items())[:_MOST_SHOWN]:
        print(f"{etcd_key}: {reason}", file=sys.stderr)
    if done.failed:
        print(f"{len(done.failed)} failed; run it again when that is mended", file=sys.stderr)
