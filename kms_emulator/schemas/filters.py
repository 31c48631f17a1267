"""ListKeys' Filters parameter: `[{"Key": "KeyState", "Values": ["Enabled"]}]`.

Entries with the same Key add up. An entry that is left without a value lets every key through.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from kms_emulator.service.filters import FILTER_NAMES, IGNORED_UNLESS

_CANONICAL = {name.lower(): name for name in FILTER_NAMES if name == "keyId"}


class _Filter(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, Field(alias="Key")]
    values: Annotated[list[str], Field(alias="Values", max_length=10)] = Field(default_factory=list)


_FILTERS = TypeAdapter(Annotated[list[_Filter], Field(max_length=10)])


def _filters(text: Any) -> Any:
    wanted: dict[str, set[str]] = {}
    for entry in _FILTERS.validate_python(orjson.loads(text)) if text else ():
        name = _CANONICAL.get(entry.name.lower(), entry.name)
        if name not in FILTER_NAMES:
            raise ValueError("an unknown Key")
        supported = IGNORED_UNLESS.get(name)
        values = (v for v in entry.values if supported is None or v in supported)
        wanted.setdefault(name, set()).update(values)
    return {name: frozenset(values) for name, values in wanted.items() if values}


FiltersText = Annotated[dict[str, frozenset[str]], BeforeValidator(_filters)]
