"""The KMS API described from its rows: `/openapi.json`, and `/docs` to read and to paste from.

Made when somebody asks. All operations share one path, so that each stands under that path with
its Action in the query, as it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from kms_emulator.operations import OPERATIONS
from kms_emulator.operations.examples import example
from kms_emulator.operations.kms import Row

_VERSION = "2016-01-20"
_STYLE = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
_TABLE = "pre,td,th{background:#f4f4f4;padding:.4em;text-align:left;overflow:auto}"


def description(endpoint: str) -> dict[str, Any]:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Alibaba Cloud KMS, emulated",
            "version": _VERSION,
            "description": "Calls are signed: ACS3-HMAC-SHA256, or one of the older ways.",
        },
        "servers": [{"url": endpoint}],
        "paths": {
            f"/?Action={row.name}&Version={_VERSION}": {"post": _operation(row, endpoint)}
            for row in _built()
        },
        "components": {"schemas": {"Error": _ERROR}},
    }


def page(endpoint: str) -> str:
    """The same as HTML that needs nothing from elsewhere."""
    sections = "".join(_section(row, endpoint) for row in _built())
    links = ", ".join(f'<a href="#{row.name}">{row.name}</a>' for row in _built())
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>KMS {_VERSION}</title>"
        f"<style>{_STYLE}{_TABLE}</style><h1>Alibaba Cloud KMS {_VERSION}, emulated</h1>"
        f'<p>For programs: <a href="/openapi.json">/openapi.json</a>.</p><p>{links}</p>{sections}'
    )


_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["HttpStatus", "Code", "Message", "RequestId"],
    "properties": {
        "HttpStatus": {"type": "integer"},
        "Code": {"type": "string"},
        "Message": {"type": "string"},
        "RequestId": {"type": "string"},
    },
}


def _built() -> Iterator[Row]:
    return (row for row in sorted(OPERATIONS, key=lambda row: row.name) if row.built)


def _operation(row: Row, endpoint: str) -> dict[str, Any]:
    error = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {
        "operationId": row.name,
        "description": f"RAM action `{row.ram_action}`." if row.ram_action else "Open to all.",
        "parameters": _parameters(row),
        "responses": {
            "200": {"description": "Done", "content": {"application/json": {}}},
            "default": {"description": "Refused", "content": {"application/json": error}},
        },
        "x-codeSamples": [{"lang": "Python", "source": example(row.name, endpoint)}],
    }


def _parameters(row: Row) -> list[dict[str, Any]]:
    schema = row.request.model_json_schema(by_alias=True)
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": kind}
        for name, kind in schema.get("properties", {}).items()
    ]


def _section(row: Row, endpoint: str) -> str:
    rows = "".join(
        f"<tr><td>{each['name']}<td>{'yes' if each['required'] else ''}"
        f"<td>{escape(_words(each['schema']))}"
        for each in _parameters(row)
    )
    table = f"<table><tr><th>parameter<th>required<th>kind{rows}</table>" if rows else ""
    code = escape(example(row.name, endpoint))
    return f"<h2 id={row.name}>{row.name}</h2>{table}<pre>{code}</pre>"


def _words(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_words(each) for each in schema["anyOf"] if each.get("type") != "null")
    return str(schema.get("format") or schema.get("const") or schema.get("type", ""))
