"""Media types: how bodies are read and answers written.

After k8s.io/apiserver endpoints/handlers/negotiation; JSON where nothing is said.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import yaml

from apiserver_shim.api import status
from apiserver_shim.api.status import StatusError
from apiserver_shim.errors import DecodeError, EncodeError, YamlError
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.storage import codec
from apiserver_shim.yaml_json import MAX_NODES, Converted, to_json

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES = (JSON, YAML, PROTOBUF)
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)

_PARTIAL = ("PartialObjectMetadata", "PartialObjectMetadataList")
_SHOWN_BYTES = 30


@dataclass(frozen=True, slots=True)
class Format:
    """How a client wants its answer: ``form`` is "", Table or PartialObjectMetadata[List]."""

    media_type: str = JSON
    form: str = ""
    version: str = ""


@lru_cache(maxsize=256)
def accepted(header: str) -> Format:
    """Read an Accept header; raises StatusError 406."""
    clauses = [clause(text) for text in header.split(",") if text.strip()]
    for quality, media_type, parameters in sorted(clauses, key=lambda c: -c[0]):
        if not quality:
            continue
        if media_type in {"*/*", "application/*"}:
            return Format()
        if media_type in MEDIA_TYPES:
            form = parameters.get("as", "")
            if not form:
                return Format(media_type)
            group, version = parameters.get("g"), parameters.get("v", "")
            known = group == "meta.k8s.io" and version in {"v1", "v1beta1"}
            if known and media_type == JSON and form in {"Table", *_PARTIAL}:
                return Format(media_type, form, version)
    if not clauses:
        return Format()
    raise StatusError(status.not_acceptable(MEDIA_TYPES))


def clause(text: str) -> tuple[float, str, dict[str, str]]:
    """Read one clause of an Accept header: quality, media type, other parameters."""
    media_type, *rest = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in rest)
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    try:
        quality = float(parameters.pop("q", "1"))
    except ValueError:
        quality = 0.0
    return quality, media_type.lower(), parameters


def media_type_of(content_type: str) -> str:
    """Return the media type of a Content-Type header without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_yaml(content_type: str) -> bool:
    return media_type_of(content_type) == YAML


def is_json(content_type: str) -> bool:
    return media_type_of(content_type) in {"", JSON}


def encode(obj: Any, wanted: Format, *, pretty: bool = False) -> tuple[bytes, bytes]:
    """Return (the answer's bytes, its Content-Type)."""
    if wanted.media_type == PROTOBUF:
        try:
            return codec.encode_body(obj), PROTOBUF.encode()
        except EncodeError:
            # kinds that nobody asks for in protobuf; clients that do accept JSON as well
            return encode_json(obj), JSON.encode()
    if wanted.media_type == YAML:
        return yaml.safe_dump(obj, default_flow_style=False).encode(), YAML.encode()
    return encode_json(obj, pretty=pretty), JSON.encode()


def encode_json(obj: Any, *, pretty: bool = False) -> bytes:
    option = orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(obj, option=option | orjson.OPT_INDENT_2 if pretty else option)


def decode(body: bytes, content_type: str, kind: str) -> Any:
    """Read a body; raises StatusError 415, BadRequestError. ``kind`` is for the message."""
    media_type = media_type_of(content_type)
    if media_type in {"", JSON}:
        return decode_json(body, kind)
    if media_type == YAML:
        return decode_yaml(body, kind).value
    if media_type == PROTOBUF:
        try:
            return codec.decode_body(body)
        except DecodeError as error:
            raise _unrecognized(kind, error.message, body) from None
    raise StatusError(status.unsupported_media_type(MEDIA_TYPES))


def decode_json(body: bytes, kind: str) -> Any:
    try:
        return parse_json(body)
    except orjson.JSONDecodeError as error:
        detail = f"couldn't get version/kind; json parse error: {go_text(body, error)}"
        raise _unrecognized(kind, detail, body) from None


def parse_json(body: bytes) -> Any:
    """Parse JSON that can be written again; raises orjson.JSONDecodeError, BadRequestError."""
    parsed = orjson.loads(body)
    try:
        orjson.dumps(parsed)
    except TypeError:
        # some 250 levels; no object has ten
        raise BadRequestError("the body is nested too deeply") from None
    if len(body) > MAX_NODES and body.count(b",") > MAX_NODES // 2 and _has_too_many(parsed):
        raise BadRequestError(f"the body has more than {MAX_NODES} keys and values")
    return parsed


def _has_too_many(value: Any) -> bool:
    """Tell whether a body has more keys and values than one in YAML may have."""
    count, waiting = 0, [value]
    while waiting:
        found = waiting.pop()
        count += 1
        if isinstance(found, dict):
            count += len(found)
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
        if count + len(waiting) > MAX_NODES:
            return True
    return False


def _unrecognized(kind: str, detail: str, body: bytes) -> BadRequestError:
    shown = body[:_SHOWN_BYTES]
    summary = shown.decode(errors="replace") if body.startswith(b"{") else shown.hex()
    more = " ..." if len(body) > _SHOWN_BYTES else ""
    return BadRequestError(
        f"the object provided is unrecognized (must be of type {kind}): "
        f"{detail} ({summary or '<empty>'}{more})"
    )


def go_text(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Say what Go's encoding/json would about the same mistake."""
    text = body.decode(errors="replace")
    if error.pos >= len(text.rstrip()):
        return "unexpected end of JSON input"
    before = text[: error.pos].rstrip()[-1:]
    looking = {
        "": "looking for beginning of value",
        ":": "looking for beginning of value",
        "[": "looking for beginning of value",
        "{": "looking for beginning of object key string",
        ",": "looking for beginning of object key string",
    }.get(before, "after object key:value pair")
    return f"invalid character {text[error.pos]!r} {looking}"


def decode_yaml(body: bytes, kind: str) -> Converted:
    """Read a body in YAML; raises BadRequestError."""
    try:
        return to_json(body)
    except YamlError as error:
        raise _unrecognized(kind, error.message, body) from None


def duplicate_fields(body: bytes, parsed: Any) -> list[str]:
    """Return the paths of fields that a JSON body has twice.

    Cheap when there are none: a duplicate is missing from what was parsed, and so are its quotes.
    """
    if b"\\u0022" not in body and body.count(b'"') == orjson.dumps(parsed).count(b'"'):
        return []
    return _Duplicates().find(body)


class _Duplicates:
    """Walks a JSON text once, remembering pairs instead of the last of each."""

    def find(self, body: bytes) -> list[str]:
        found: list[str] = []
        pairs = json.loads(body, object_pairs_hook=_Pairs)
        self._walk(pairs, "", found)
        return found

    def _walk(self, value: Any, path: str, found: list[str]) -> None:
        if isinstance(value, _Pairs):
            seen: set[str] = set()
            for key, item in value:
                at = f"{path}.{key}" if path else key
                if key in seen:
                    found.append(at)
                seen.add(key)
                self._walk(item, at, found)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._walk(item, f"{path}[{index}]", found)


class _Pairs(list[tuple[str, Any]]):
    """An object's fields as written."""
