"""ListKeys' Filters: which keys a set of conditions lets through.

Conditions under one name are alternatives, all names have to hold. `Filters` has no empty set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kms_emulator.keys import Alias, Key
from kms_emulator.specs import HSM, SOFTWARE, SPECS, UNBUILT_SPECS

Filters = Mapping[str, frozenset[str]]
AliasNames = Mapping[str, frozenset[str]]
"""Of each key id."""

CREATED_BY_USER = "User"

_VALUES: Mapping[str, Callable[[Key, AliasNames], Iterable[str]]] = {
    "KeyState": lambda key, _: (key.state.value,),
    "KeySpec": lambda key, _: (key.spec,),
    "KeyUsage": lambda key, _: (key.usage,),
    "ProtectionLevel": lambda key, _: (key.protection_level,),
    # No cloud service makes keys here.
    "CreatorType": lambda _key, _: (CREATED_BY_USER,),
    "DKMSInstanceId": lambda key, _: (key.instance_id,),
    "keyId": lambda key, _: (key.id,),
    "AliasName": lambda key, aliases: aliases.get(key.id, ()),
    "Creator": lambda key, _: (key.creator,),
    "TagKey": lambda key, _: key.tags,
    "TagValue": lambda key, _: key.tags.values(),
}

FILTER_NAMES = frozenset(_VALUES)

IGNORED_UNLESS: Mapping[str, frozenset[str]] = {
    "KeySpec": frozenset(SPECS) | UNBUILT_SPECS,
    "ProtectionLevel": frozenset({SOFTWARE, HSM}),
}
"""Values outside these sets are ignored, as documented."""


def passes(key: Key, filters: Filters, aliases: AliasNames) -> bool:
    return all(
        not wanted.isdisjoint(_VALUES[name](key, aliases)) for name, wanted in filters.items()
    )


def names_by_key(aliases: Iterable[Alias]) -> AliasNames:
    names: dict[str, set[str]] = {}
    for alias in aliases:
        names.setdefault(alias.key_id, set()).add(alias.name)
    return {key_id: frozenset(found) for key_id, found in names.items()}
