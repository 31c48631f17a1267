"""`python -m benchmarks.storage`: the store beside the ceiling of bare stubs on the same etcd.

Secrets created, read, listed (500 a page) and watched, stored plain and under KMS v1 and v2, each
by 1 and 32 clients. The plugin is a process of its own that wraps without a KMS, so that the cost
measured is the envelope's. The bare stubs send values as large as the plain ones.
"""

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from acksim.data_dir.layout import ETCD_SOCKET
from acksim.world.etcd_server import command, find
from apiserver_shim.encryption.live import LiveEncryption
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store
from benchmarks.ceiling import PAGE, Bare, Result, measure, secret, table
from benchmarks.turning_plugin import turning_plugin

CACHE = 1_000_000
PROVIDERS = ("identity", "v1", "v2")


class Stored:
    """The store of a server with one provider."""

    def __init__(self, how: str, store: Store) -> None:
        self.how = how
        self._store = store

    async def create(self, name: str) -> None:
        await self._store.create(Key("secrets", "default", name), secret(name))

    async def get(self, name: str) -> None:
        await self._store.get(Key("secrets", "default", name))

    async def page(self) -> None:
        await self._store.list("secrets", "default", limit=PAGE)

    async def watch(self, ready: Callable[[], None], seen: Callable[[int], bool]) -> None:
        revision = await self._store.latest_revision("secrets")
        async with aclosing(self._store.watch("secrets", revision=revision)) as events:
            ready()
            async for event in events:
                if event.type != "BOOKMARK" and seen(1):
                    return


@contextmanager
def real_etcd(directory: Path) -> Iterator[str]:
    process = subprocess.Popen(
        command(find(), directory / "etcd"),
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"unix://{directory}/{ETCD_SOCKET}"
    finally:
        process.terminate()
        process.wait()


@asynccontextmanager
async def transformers(
    provider: str, socket: str, directory: Path
) -> AsyncIterator[TransformerSet]:
    if provider == "identity":
        yield TransformerSet({})
        return
    path = directory / f"{provider}.yaml"
    kms: dict[str, Any] = {"apiVersion": provider, "name": "bench", "endpoint": socket}
    if provider == "v1":
        kms["cachesize"] = CACHE  # what was written stays readable without the plugin
    rule = {"resources": ["secrets"], "providers": [{"kms": kms}, {"identity": {}}]}
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration"}
    path.write_text(json.dumps({**head, "resources": [rule]}))
    live = LiveEncryption(path, Runtime(lambda: datetime.now(UTC)), reload_interval=None)
    await live.start()
    yield live.transformers
    await live.stop()


async def run(endpoint: str, socket: str, directory: Path, seconds: float) -> list[Result]:
    etcd = EtcdClient([endpoint])
    results: list[Result] = []
    bare = Bare(endpoint)
    await bare.answers()
    results += [result async for result in measure(bare, seconds)]
    await bare.close()
    for provider in PROVIDERS:
        async with transformers(provider, socket, directory) as configured:
            prefix = f"/bench-{secrets.token_hex(4)}"
            store = Store(etcd, prefix=prefix, transformers=configured)
            results += [one async for one in measure(Stored(provider, store), seconds)]
    await etcd.close()
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        directory = Path(name)
        with real_etcd(directory) as endpoint, turning_plugin(directory) as socket:
            results = uvloop.run(run(endpoint, socket, directory, arguments.seconds))
    print(json.dumps([asdict(one) for one in results]) if arguments.json else table([results]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
