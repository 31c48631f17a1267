"""The policies that Alibaba Cloud keeps for everybody, from the YAML file beside this module."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from importlib import resources
from typing import Any

import orjson
import yaml

_LONG_AGO = date(2015, 4, 28)


@dataclass(frozen=True, slots=True)
class SystemPolicy:
    """Only its current version is known here."""

    name: str
    description: str
    version: int
    document: str
    created: datetime


def system_policy(name: str) -> SystemPolicy | None:
    return system_policies().get(name.lower())


@cache
def system_policies() -> Mapping[str, SystemPolicy]:
    """By name in lower case, in the order of names."""
    text = resources.files(__package__).joinpath("system_policies.yaml").read_text()
    rows: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return {name.lower(): _policy(name, rows[name]) for name in sorted(rows, key=str.lower)}


def _policy(name: str, row: Mapping[str, Any]) -> SystemPolicy:
    statements = [
        {"Effect": "Allow", "Action": part["actions"], "Resource": part["resources"]}
        for part in row["allow"]
    ]
    document = orjson.dumps({"Version": "1", "Statement": statements}).decode()
    created = datetime.combine(row.get("created", _LONG_AGO), time(), UTC)
    return SystemPolicy(name, row["description"], row.get("version", 1), document, created)
