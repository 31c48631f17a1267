"""`ram …`: who is in the account and why they may; the lists by signed calls, as any client's."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from acksim.cli.output import say, say_json, say_table
from acksim.cli.place import attached
from acksim.clients.alibaba import ApiClient, Signer

_VERSION = "2015-05-01"


def explain(arguments: argparse.Namespace) -> int:
    """Exit code 0: allowed; 1: denied."""
    answer = attached(arguments).explain(
        arguments.user,
        arguments.action,
        arguments.resource,
        conditions=dict(arguments.condition),
        **({"account_id": arguments.account} if arguments.account else {}),
    )
    allowed = answer["decision"] == "Allow"
    if arguments.json:
        say_json(answer)
        return 0 if allowed else 1
    verb = "may" if allowed else "may not"
    say(f"{answer['principal']} {verb} {answer['action']} on {answer['resource']}")
    say(answer["reason"])
    if answer["statement"]:
        say(json.dumps(answer["statement"], indent=2, ensure_ascii=False))
    elif answer["held"]:
        say(f"asked: {', '.join(answer['held'])}")
    else:
        say("there is no policy to ask: none is attached")
    return 0 if allowed else 1


def users(arguments: argparse.Namespace) -> int:
    return _show(
        arguments, "ListUsers", "Users", "User", ("UserName", "UserId", "DisplayName", "CreateDate")
    )


def roles(arguments: argparse.Namespace) -> int:
    return _show(arguments, "ListRoles", "Roles", "Role", ("RoleName", "Arn", "CreateDate"))


def policies(arguments: argparse.Namespace) -> int:
    columns = ("PolicyName", "PolicyType", "DefaultVersion", "AttachmentCount", "Description")
    return _show(arguments, "ListPolicies", "Policies", "Policy", columns)


def ram_client(arguments: argparse.Namespace) -> ApiClient:
    """RAM of the root account."""
    endpoint = attached(arguments).facts.endpoint
    return ApiClient(endpoint, Signer.of_root(), version=_VERSION)


def _show(
    arguments: argparse.Namespace, action: str, plural: str, single: str, columns: tuple[str, ...]
) -> int:
    rows = [row for page in _pages(ram_client(arguments), action) for row in page[plural][single]]
    if arguments.json:
        say_json(rows)
    else:
        heads = [_spaced(column) for column in columns]
        say_table(heads, [[row[column] for column in columns] for row in rows])
    return 0


def _pages(client: ApiClient, action: str) -> Iterator[dict[str, Any]]:
    page = client.call(action)
    yield page
    while page["IsTruncated"]:
        page = client.call(action, Marker=page["Marker"])
        yield page


def _spaced(name: str) -> str:
    """UserName as USER NAME."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in name)
    return words.strip().upper()
