"""`cluster encrypt`, `decrypt`, `show`: by the same signed calls that any client of CS sends."""

import argparse
import json
import sys
import time
from typing import Any

from acksim.cli.coverage import still_dependent
from acksim.cli.output import say, say_json, say_table
from acksim.cli.place import attached
from acksim.clients.alibaba import Signer
from acksim.clients.cs import CsClient

_LOOK_EVERY_SECONDS = 0.3
_EVENTS = 5


def encrypt(arguments: argparse.Namespace) -> int:
    return _switch(arguments, arguments.key)


def decrypt(arguments: argparse.Namespace) -> int:
    return _switch(arguments, None)


def show(arguments: argparse.Namespace) -> int:
    client = _client(arguments)
    detail = client.cluster(arguments.cluster)
    events = client.cluster_events(arguments.cluster, limit=_EVENTS)
    world = attached(arguments)
    warnings = still_dependent(world, [world.cluster(arguments.cluster)])
    texts = [text for of_cluster in warnings.values() for text in of_cluster]
    if arguments.json:
        say_json({**detail, "events": events, "warnings": texts})
        return 0
    kind = f"{detail['cluster_type']}, {detail['profile']}, {detail['cluster_spec']}"
    say_table(
        ("CLUSTER", detail["cluster_id"]),
        [
            ("name", detail["name"]),
            ("state", detail["state"]),
            ("kind", kind),
            ("region", detail["region_id"]),
            ("Kubernetes", detail["current_version"]),
            ("Secrets", _sealed(detail)),
            ("updated", detail["updated"]),
        ],
    )
    for text in texts:
        say(f"warning: {text}")
    for event in events:
        data = event["data"]
        say(f"{event['time']}  {data['level']:<7}  {data['reason']}: {data['message']}")
    return 0


def _switch(arguments: argparse.Namespace, key: str | None) -> int:
    """Exit code 1 when the control plane refuses, or gives the switch up."""
    client = _client(arguments)
    task_id = client.update_kms_encryption(arguments.cluster, key)
    if arguments.no_wait:
        _tell(arguments, client, task_id)
        return 0
    begun = time.monotonic()
    while (detail := client.cluster(arguments.cluster))["state"] == "updating":
        _progress(f"updating, {time.monotonic() - begun:.0f} s")
        if time.monotonic() - begun > arguments.timeout:
            _progress("")
            _tell(arguments, client, task_id)
            return 1
        time.sleep(_LOOK_EVERY_SECONDS)
    _progress("")
    task = client.task(task_id)
    if arguments.json:
        say_json({"cluster_id": arguments.cluster, "state": detail["state"], "task": task})
    elif task["state"] == "fail":
        say(f"given up, the cluster is as it was: {task['error']['message']}")
    else:
        say(f"cluster {arguments.cluster} is {detail['state']}, its Secrets {_sealed(detail)}")
        say(f"older ones stay as they are until: acksim cluster rewrite {arguments.cluster}")
    return 0 if task["state"] == "success" else 1


def _tell(arguments: argparse.Namespace, client: CsClient, task_id: str) -> None:
    state = client.cluster(arguments.cluster)["state"]
    if arguments.json:
        say_json({"cluster_id": arguments.cluster, "state": state, "task_id": task_id})
    else:
        say(f"cluster {arguments.cluster} is {state}; acksim cluster show {arguments.cluster}")


def _client(arguments: argparse.Namespace) -> CsClient:
    world = attached(arguments)
    region = world.cluster(arguments.cluster)["region"]
    return CsClient(world.facts.endpoint, Signer.of_root(), region=region)


def _sealed(detail: dict[str, Any]) -> str:
    capabilities = json.loads(detail["meta_data"])["Capabilities"]
    if capabilities["DisableEncryption"]:
        return "not encrypted"
    return f"sealed by {capabilities['EncryptionKMSKeyId']}"


def _progress(text: str) -> None:
    """On a terminal alone, in one line that the next one replaces."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
