"""YAML as upstream reads it.

``yaml_vectors.jsonl`` holds texts and what sigs.k8s.io/yaml v1.6.0 (YAMLToJSON, YAMLToJSONStrict)
says of each: ``json`` or ``error``, and ``strict`` where only the strict reading refuses.
The answers are upstream's own, written by ``python -m tests.oracle.refresh``.
"""

import json
from typing import Any

import pytest

from apiserver_shim import yaml_json
from apiserver_shim.errors import YamlError
from tests.oracle.refresh import YAML, data_of, read

VECTORS = read(YAML)


def _as_read(value: Any) -> Any:
    """Return ``value`` as Kubernetes' JSON reader has it: what fits 64 bits is an integer."""
    if isinstance(value, dict):
        return {key: _as_read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_read(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(1 << 63) <= value < (1 << 64) else float(value)
    return value


def _typed(value: Any) -> str:
    """Return a text that tells 1, 1.0 and true apart, whatever the order of keys."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: repr(data_of(vector))[:60])
def test_a_text_is_read_or_refused_as_upstream_does(vector: dict[str, Any]) -> None:
    if "error" in vector:
        with pytest.raises(YamlError) as refused:
            yaml_json.to_json(data_of(vector))
        assert refused.value.message == vector["error"]
        return
    converted = yaml_json.to_json(data_of(vector))
    assert _typed(converted.value) == _typed(_as_read(json.loads(vector["json"])))
    assert converted.repeated == vector.get("strict", "")


def test_the_vectors_are_many() -> None:
    assert len(VECTORS) > 900
    assert sum("error" in vector for vector in VECTORS) > 200


@pytest.mark.parametrize("bracket", ["[", "{"])
def test_brackets_that_nobody_closes_are_a_fault_of_the_text(bracket: str) -> None:
    with pytest.raises(YamlError) as refused:
        yaml_json.to_json(bracket.encode() * 3000)
    assert refused.value.message == "yaml: line 1: did not find expected node content"


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 3000 + b"]" * 3000,
        b"{a: " * 3000 + b"}" * 3000,
        b"- " * 3000 + b"a",
        b"a0: &a0 [b]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 500)),
    ],
)
def test_what_is_nested_too_deeply_is_refused(text: bytes) -> None:
    with pytest.raises(YamlError, match="exceeded max depth of 100"):
        yaml_json.to_json(text)


def test_what_has_too_many_values_is_refused() -> None:
    with pytest.raises(YamlError, match="exceeded max number of 100000 nodes"):
        yaml_json.to_json(b"[" + b"1," * 450_000 + b"]")


def test_aliases_of_aliases_do_not_multiply() -> None:
    levels = b"".join(
        b"l%d: &l%d [%s]\n" % (i, i, b",".join([b"*l%d" % (i - 1)] * 10)) for i in range(1, 9)
    )
    with pytest.raises(YamlError, match="document contains excessive aliasing"):
        yaml_json.to_json(b"l0: &l0 [x]\n" + levels)


@pytest.mark.parametrize("digits", ["1" * 1_000_000, "0x" + "f" * 1_000_000])
def test_a_number_of_a_million_digits_is_no_integer(digits: str) -> None:
    assert not isinstance(yaml_json.to_json(digits.encode()).value, int)
