"""`etcd …`: raw bytes beside what they mean."""

import argparse

from acksim.cli.output import Paint, say, say_json, say_table
from acksim.cli.place import attached
from acksim.clients.etcd import Sealed, describe, hexdump, read_one, read_prefix


def ls(arguments: argparse.Namespace) -> int:
    values = read_prefix(attached(arguments).facts.etcd, arguments.prefix)
    rows = [(key, len(value), describe(value)) for key, value in values]
    if arguments.json:
        say_json([{"key": key, "bytes": size, **sealed.as_json()} for key, size, sealed in rows])
        return 0
    say_table(
        ("KEY", "BYTES", "SEALED BY", "KEY VERSION"),
        [(key, size, sealed.by, sealed.key_version or "-") for key, size, sealed in rows],
    )
    return 0


def get(arguments: argparse.Namespace) -> int:
    value = read_one(attached(arguments).facts.etcd, arguments.key)
    sealed = describe(value)
    if arguments.json:
        say_json({"key": arguments.key, "hex": value.hex(), **sealed.as_json()})
        return 0
    _say_value(value, sealed)
    return 0


def _say_value(value: bytes, sealed: Sealed) -> None:
    paint = Paint()
    for line in hexdump(value, limit=1024):
        say(line)
    say()
    for name, text in sealed.as_json().items():
        if text is not None:
            say(f"{paint('bold', name.replace('_', ' ') + ':'):<16} {text}")
