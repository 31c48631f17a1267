"""YAML as Kubernetes means it: JSON in other clothes (sigs.k8s.io/yaml over yaml.v2).

libyaml parses; what the parsed text means is decided here, and never by a tag that names a type
of this program. Texts that would take long or much memory are refused.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

import yaml

from apiserver_shim import go_syntax, yaml_scalars
from apiserver_shim.errors import YamlError
from apiserver_shim.yaml_scalars import Scalar

MAX_NODES = 100_000  # values and keys, each alias counted as what it stands for
MAX_DEPTH = 100  # upstream's is 10,000; no object has twenty
MAX_TAG_DIRECTIVES = 1000  # libyaml compares each with all before it
_TOO_MANY = f"yaml: exceeded max number of {MAX_NODES} nodes"
_MAX_OPEN = 10_000  # yaml.v2's own; libyaml's time grows with the square of the depth
_TOO_DEEP = f"yaml: exceeded max depth of {MAX_DEPTH}"
_tag_directives = re.compile(rb"%\0?T\0?A\0?G").findall  # in UTF-8 or UTF-16

_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FIRST_NO_INT64 = float(1 << 63)
_SPECIAL_KEYS = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}


class Converted(NamedTuple):
    """The first document in JSON's types, and keys that it has twice, of which the last counts.

    ``repeated`` has upstream's words, "" when there are none; strict readers refuse them.
    """

    value: Any
    repeated: str


def to_json(data: bytes) -> Converted:
    """Read the first YAML document of ``data``; raises YamlError in upstream's words."""
    if b"\n\xef\xbb\xbf" in data:
        # libyaml skips it, yaml.v2 takes it for a letter
        raise YamlError("yaml: a line begins with a byte order mark")
    root = _compose(data)
    if root is None:
        return Converted(None, "")
    decoder = _Decoder()
    value = decoder.value(root, 0)
    if fault := decoder.bad_key or decoder.bad_number:
        raise YamlError(fault)
    repeated = ""
    if decoder.repeated:
        repeated = "\n  ".join(["yaml: unmarshal errors:", *decoder.repeated])
    return Converted(value, repeated)


@dataclass(slots=True, eq=False)
class _Node:
    """A node of the text. ``value`` is a scalar's text or the anchor that an alias names."""

    kind: type[yaml.Event]
    line: int
    value: str = ""
    tag: str | None = None
    implicit: bool = False
    flow: bool = False
    children: list["_Node"] = field(default_factory=list)
    target: "_Node | None" = None


def _compose(data: bytes) -> _Node | None:
    """Build the tree of the first document, without recursion; None when there is none."""
    root: _Node | None = None
    open_nodes: list[_Node] = []
    anchors: dict[str, _Node] = {}
    count = 0
    for event in _events(data):
        if isinstance(event, yaml.CollectionEndEvent):
            open_nodes.pop()
            continue
        count += 1
        if count > MAX_NODES:
            raise YamlError(_TOO_MANY)
        node = _node(event, anchors)
        if open_nodes:
            _check_question_mark(node, event, open_nodes[-1])
            open_nodes[-1].children.append(node)
        else:
            root = node
        if isinstance(event, yaml.CollectionStartEvent):
            node.flow = bool(event.flow_style)
            open_nodes.append(node)
            if len(open_nodes) > _MAX_OPEN:
                raise YamlError(f"yaml: exceeded max depth of {_MAX_OPEN}")
    return root


def _node(event: Any, anchors: dict[str, _Node]) -> _Node:
    node = _Node(type(event), event.start_mark.line)
    if node.kind is yaml.AliasEvent:
        node.value = event.anchor
        node.target = anchors.get(event.anchor)
        if node.target is None:
            raise YamlError(f"yaml: unknown anchor '{event.anchor}' referenced")
        return node
    if node.kind is yaml.ScalarEvent:
        node.value, node.tag, node.implicit = event.value, event.tag, event.implicit[0]
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


def _check_question_mark(node: _Node, event: Any, parent: _Node) -> None:
    """Refuse ``[a?b]``: libyaml takes it for a text, yaml.v2 for a text and then a key."""
    is_plain = node.kind is yaml.ScalarEvent and event.style not in {"'", '"'}
    if parent.flow and is_plain and "?" in node.value:
        bracket = "]" if parent.kind is yaml.SequenceStartEvent else "}"
        where = f"line {node.line}: " if node.line else ""
        raise YamlError(f"yaml: {where}did not find expected ',' or '{bracket}'")


def _events(data: bytes) -> Iterator[Any]:
    """Yield the events of the first document's nodes; raises YamlError."""
    if len(_tag_directives(data)) > MAX_TAG_DIRECTIVES:
        raise YamlError(f"yaml: exceeded max number of {MAX_TAG_DIRECTIVES} tag directives")
    try:
        parser = _Parser(data)
        try:
            while True:
                event = parser.get_event()
                if event is None or isinstance(event, yaml.DocumentEndEvent | yaml.StreamEndEvent):
                    return
                if isinstance(event, yaml.DocumentStartEvent):
                    _check_version(event)
                elif not isinstance(event, yaml.StreamStartEvent):
                    yield event
        finally:
            parser.dispose()
    except yaml.YAMLError as error:
        raise YamlError(f"yaml: {_problem(error)}") from None


def _check_version(start: Any) -> None:
    """Refuse ``%YAML 1.2``, which libyaml takes and yaml.v2 does not."""
    if start.version not in {None, (1, 1)}:
        line = start.start_mark.line
        where = f"line {line}: " if line else ""
        raise YamlError(f"yaml: {where}found incompatible YAML document")


def _problem(error: yaml.YAMLError) -> str:
    """Say what yaml.v2 says: the line, counted as it does, and libyaml's words."""
    if isinstance(error, yaml.reader.ReaderError):
        return str(error.reason)
    if not isinstance(error, yaml.MarkedYAMLError):
        return str(error)
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        # a scanner has not counted the line that it fails on
        line = error.problem_mark.line + isinstance(error, yaml.scanner.ScannerError)
    elif error.context_mark is not None:
        line = error.context_mark.line
    return f"line {line}: {error.problem}" if line else str(error.problem)


class _Decoder:
    """Turns nodes into values, in the order in which yaml.v2 does."""

    def __init__(self) -> None:
        self.repeated: list[str] = []
        self.bad_key = ""
        self.bad_number = ""
        self._count = 0
        self._open_aliases: set[_Node] = set()

    def value(self, node: _Node, depth: int) -> Any:
        """Return what ``node`` stands for, as JSON has it; raises YamlError."""
        value = self._decode(node, depth)
        if not isinstance(value, float):
            return value
        if not isfinite(value):
            self.bad_number = (
                self.bad_number or f"json: unsupported value: {go_syntax.shortest(value)}"
            )
        elif value.is_integer() and abs(value) < _FIRST_NO_INT64:
            # Go's JSON writes no point and no exponent, so whoever reads it sees an integer
            return int(value)
        return value

    def _decode(self, node: _Node, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise YamlError(
                "yaml: document contains excessive aliasing" if self._open_aliases else _TOO_MANY
            )
        if depth > MAX_DEPTH:
            raise YamlError(_TOO_DEEP)
        if node.target is not None:
            with self._alias(node):
                return self._decode(node.target, depth)
        if node.kind is yaml.SequenceStartEvent:
            return [self.value(child, depth + 1) for child in node.children]
        if node.kind is yaml.MappingStartEvent:
            filled = _Filling({}, set())
            self._fill(filled, node, depth)
            return filled.mapping
        return _scalar(node)

    def _fill(self, filling: "_Filling", node: _Node, depth: int) -> None:
        """Add a mapping's pairs; a key that is there already is noted and overwritten."""
        pairs = zip(node.children[::2], node.children[1::2], strict=True)
        for key_node, value_node in pairs:
            if _is_merge(key_node):
                self._merge(filling, value_node, depth)
                continue
            key = self._decode(key_node, depth + 1)
            if isinstance(key, dict | list):
                raise YamlError(f"yaml: invalid map key: {go_syntax.of(_typed(key_node))}")
            value = self.value(value_node, depth + 1)
            typed = (type(key), key)  # 1, 1.0 and true are keys of their own
            if typed in filling.seen:
                fault = f"key {go_syntax.of(key)} already set in map"
                self.repeated.append(f"line {value_node.line + 1}: {fault}")
            filling.seen.add(typed)
            if key is None:
                shown = go_syntax.of(value)
                self.bad_key = (
                    f"unsupported map key of type: %!s(<nil>), key: <nil>, value: {shown}"
                )
            filling.mapping[_key_text(key)] = value

    def _merge(self, filling: "_Filling", node: _Node, depth: int) -> None:
        sources = [node]
        if node.kind is yaml.SequenceStartEvent:
            sources = node.children[::-1]  # what stands earlier counts
        for source in sources:
            mapping = source if source.target is None else source.target
            if mapping.kind is not yaml.MappingStartEvent:
                raise YamlError("yaml: map merge requires map or sequence of maps as the value")
            self._count += 1
            with self._alias(source) if source.target else nullcontext():
                self._fill(filling, mapping, depth + 1)

    @contextmanager
    def _alias(self, node: _Node) -> Iterator[None]:
        if node in self._open_aliases:
            raise YamlError(f"yaml: anchor '{node.value}' value contains itself")
        self._open_aliases.add(node)
        yield
        self._open_aliases.remove(node)


@dataclass(slots=True)
class _Filling:
    """A mapping under way; ``seen`` has its keys with their types."""

    mapping: dict[str, Any]
    seen: set[tuple[type, Scalar]]


def _typed(node: _Node | None) -> Any:
    """Return a small value with its keys' types, which messages show."""
    if node is None or node.kind is yaml.ScalarEvent:
        return None if node is None else _scalar(node)
    if node.kind is yaml.MappingStartEvent:
        pairs = zip(node.children[::2], node.children[1::2], strict=True)
        return {_scalar(key): _typed(value) for key, value in pairs}
    if node.kind is yaml.SequenceStartEvent:
        return [_typed(child) for child in node.children]
    return _typed(node.target)


def _scalar(node: _Node) -> Scalar:
    if node.tag is None and not node.implicit:
        return node.value
    return yaml_scalars.resolve(node.tag, node.value)


def _is_merge(node: _Node) -> bool:
    is_scalar = node.kind is yaml.ScalarEvent
    return is_scalar and node.value == "<<" and (node.implicit or node.tag == yaml_scalars.MERGE)


def _key_text(key: Scalar) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, float):
        text = go_syntax.shortest(key, 32)
        return _SPECIAL_KEYS.get(text, text)
    return str(key)
