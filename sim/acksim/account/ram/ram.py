"""RAM's domain as one value: what operations, seeds and commands are given."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from acksim.account.database import Database
from acksim.account.ram.access_keys import UserKeys
from acksim.account.ram.attachments import Attachments
from acksim.account.ram.diagnostics import Diagnostics
from acksim.account.ram.generations import Generations
from acksim.account.ram.groups import Groups
from acksim.account.ram.policies import Policies
from acksim.account.ram.roles import Roles
from acksim.account.ram.users import Users


@dataclass(frozen=True, slots=True)
class Ram:
    """The nouns of RAM, for every account."""

    users: Users
    keys: UserKeys
    groups: Groups
    roles: Roles
    policies: Policies
    attachments: Attachments
    diagnostics: Diagnostics


def ram_of(database: Database, generations: Generations, now: Callable[[], datetime]) -> Ram:
    parts = (database, generations, now)
    return Ram(
        Users(*parts),
        UserKeys(*parts),
        Groups(*parts),
        Roles(*parts),
        Policies(*parts),
        Attachments(*parts),
        Diagnostics(database),
    )
