"""`kms …`: keys, by the same signed calls that any client makes."""

import argparse
from typing import Any

from acksim.cli.output import say, say_json, say_table
from acksim.cli.place import attached
from acksim.clients.kms import Kms


def create(arguments: argparse.Namespace) -> int:
    kms = _kms(arguments)
    key = kms.create_key(description=arguments.description)
    if arguments.alias:
        kms.call("CreateAlias", KeyId=key["KeyId"], AliasName=arguments.alias)
    if arguments.json:
        say_json(key)
    else:
        say(f"key {key['KeyId']} is {key['KeyState']}")
    return 0


def list_keys(arguments: argparse.Namespace) -> int:
    kms = _kms(arguments)
    keys = [kms.describe_key(key_id) for key_id in kms.key_ids()]
    if arguments.json:
        say_json(keys)
        return 0
    say_table(
        ("KEY", "STATE", "DELETED ON", "CREATED"),
        [
            (key["KeyId"], key["KeyState"], key.get("DeleteDate") or "-", key["CreationDate"])
            for key in keys
        ],
    )
    return 0


def disable(arguments: argparse.Namespace) -> int:
    return _change(arguments, "DisableKey")


def enable(arguments: argparse.Namespace) -> int:
    return _change(arguments, "EnableKey")


def schedule_deletion(arguments: argparse.Namespace) -> int:
    return _change(arguments, "ScheduleKeyDeletion", PendingWindowInDays=arguments.days)


def cancel_deletion(arguments: argparse.Namespace) -> int:
    return _change(arguments, "CancelKeyDeletion")


def rotate(arguments: argparse.Namespace) -> int:
    """Not a KMS operation: the control API does it."""
    rotated = attached(arguments).rotate_key(arguments.key)
    if arguments.json:
        say_json(rotated)
    else:
        say(f"key {rotated['key_id']} seals with version {rotated['primary_key_version']} now")
    return 0


def _change(arguments: argparse.Namespace, action: str, **parameters: object) -> int:
    """These operations take a key id alone, so an alias is looked up first."""
    kms = _kms(arguments)
    key_id = kms.describe_key(arguments.key)["KeyId"]
    kms.call(action, KeyId=key_id, **parameters)
    key: dict[str, Any] = kms.describe_key(key_id)
    if arguments.json:
        say_json(key)
    else:
        until = f" until {key['DeleteDate']}" if key.get("DeleteDate") else ""
        say(f"key {key_id} is {key['KeyState']}{until}")
    return 0


def _kms(arguments: argparse.Namespace) -> Kms:
    return Kms.of_root(attached(arguments).facts.endpoint)
