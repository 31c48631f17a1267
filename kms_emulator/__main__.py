"""`python -m kms_emulator`: the KMS alone, with one root AccessKey and no RAM or trail."""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

from alibaba_edge.gateway.rendering import refusal
from alibaba_edge.ports import (
    ROOT_ACCESS_KEY,
    ROOT_ACCESS_KEY_ID,
    ROOT_ACCESS_KEY_SECRET,
    AccessKey,
    AllowEverything,
    KnownAccessKeys,
    NullCallLog,
    root_caller,
    wall_clock,
)
from bounded_http.server import BoundedServer
from kms_emulator.app import KmsSettings, create_app, open_store
from kms_emulator.seeding import Seed, plant, read_seed
from kms_emulator.store import MemoryKeyStore


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    store = open_store(options.database) if options.database else MemoryKeyStore()
    seed = read_seed(options.seed) if options.seed else Seed()
    asyncio.run(plant(seed, store, now=wall_clock()))
    app = create_app(
        KmsSettings(
            auth=options.auth,
            default_region=options.region,
            allowed_hosts=tuple(options.allowed_host),
        ),
        store=store,
        identify=KnownAccessKeys(ROOT_ACCESS_KEY, *_access_keys(seed)),
        authorizer=AllowEverything(),
        call_log=NullCallLog(),
        now=wall_clock,
    )
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        port = listener.getsockname()[1]
        _say(f"KMS at http://127.0.0.1:{port} (region {options.region}, auth {options.auth})")
        _say(f"AccessKeyId {ROOT_ACCESS_KEY_ID}, AccessKeySecret {ROOT_ACCESS_KEY_SECRET}")
        BoundedServer(app, refusal=refusal).run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kms_emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8700, help="0 takes any free one")
    parser.add_argument(
        "--database", help="file or postgresql:// URL to keep keys in (default: memory only)"
    )
    parser.add_argument("--seed", type=Path, help="YAML file of keys and accounts to begin with")
    parser.add_argument("--auth", choices=("off", "soft", "strict"), default="strict")
    parser.add_argument("--region", default="cn-hangzhou", help="of calls that name none")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which clients reach it, such as kms or *.example.com",
    )
    return parser


def _access_keys(seed: Seed) -> Iterator[AccessKey]:
    for account in seed.accounts:
        for key in account.access_keys:
            yield AccessKey(key.id, key.secret, root_caller(account.id, key.id))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
