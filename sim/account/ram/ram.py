"""RAM's domain as one value: what operations, seeds and commands are given."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sim.account.database import Database
from sim.account.ram.access_keys import UserKeys
from sim.account.ram.attachments import Attachments
from sim.account.ram.diagnostics import Diagnostics
from sim.account.ram.generations import Generations
from sim.account.ram.groups import Groups
from sim.account.ram.policies import Policies
from sim.account.ram.roles import Roles
from sim.account.ram.users import Users


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
