"""Tags: labels on keys, by which they are found and permitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from kms_emulator.errors import LimitExceededError
from kms_emulator.keys import Key, Page, Scope
from kms_emulator.service.keys import Keys
from kms_emulator.states import advance

MOST_TAGS = 20
Tag = tuple[Key, str, str]
"""A key, and the name and value of one of its tags."""


class Tags:
    """The tags of keys."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def add(self, keys: Iterable[Key], tags: Mapping[str, str]) -> None:
        """All keys are checked before the first one changes."""

        def tagged(key: Key) -> Key:
            advance("TagResource", key.state)
            merged = {**key.tags, **tags}
            if len(merged) > MOST_TAGS:
                raise LimitExceededError
            return replace(key, tags=merged)

        await self._change_all(keys, tagged)

    async def remove(self, keys: Iterable[Key], names: frozenset[str] | None) -> None:
        """None removes all of them. A name that is not there is no error."""

        def untagged(key: Key) -> Key:
            advance("UntagResource", key.state)
            kept = {} if names is None else {n: v for n, v in key.tags.items() if n not in names}
            return replace(key, tags=kept)

        await self._change_all(keys, untagged)

    async def list(
        self, scope: Scope, *, keys: Iterable[Key], tags: Mapping[str, str | None], page: slice
    ) -> Page[Tag]:
        """Of these keys, or of all. Of keys that have every one of `tags` (None: any value)."""
        chosen = list(keys) or [key async for key in self._keys.all(scope)]
        found = [
            (key, name, value)
            for key in chosen
            if all(n in key.tags and v in (None, key.tags[n]) for n, v in tags.items())
            for name, value in sorted(key.tags.items())
        ]
        return Page(tuple(found[page]), len(found))

    async def _change_all(self, keys: Iterable[Key], change: Callable[[Key], Key]) -> None:
        chosen = tuple(keys)
        for key in chosen:
            change(key)
        for key in chosen:
            await self._keys.change(key, change)
