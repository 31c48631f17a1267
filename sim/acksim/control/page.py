"""The control API on one page, without a script or a picture from elsewhere: it works offline."""

from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h2 { font: 600 1rem ui-monospace, monospace; margin: 2rem 0 .3rem; }
pre { background: #8881; border-radius: 6px; overflow-x: auto; padding: .7rem 1rem; }
td, th { padding: .1rem 1rem .1rem 0; text-align: left; vertical-align: top; }
:root { color-scheme: light dark; }
"""


def page(description: dict[str, Any], base: str) -> str:
    """HTML of an OpenAPI `description`; `base` is the address that examples use."""
    schemas = description.get("components", {}).get("schemas", {})
    parts = [
        _operation(method, path, operation, schemas, base)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    title = escape(description["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        "<p>What no cloud has, and a test needs. It asks for the token of its world, which "
        "<code>acksim env</code> prints. The machine-readable form is at "
        f'<a href="/openapi.json">/openapi.json</a>.</p>{"".join(parts)}</html>'
    )


def _operation(
    method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any], base: str
) -> str:
    body = _body(operation, schemas)
    rows = [
        *(
            (f"{row['name']} ({row['in']})", row["schema"])
            for row in operation.get("parameters", [])
        ),
        *body.get("properties", {}).items(),
    ]
    table = "".join(f"<tr><td>{escape(name)}<td>{escape(_kind(schema))}" for name, schema in rows)
    words = escape(body.get("description", ""))
    return (
        f"<h2>{method.upper()} {escape(path)}</h2><p>{words}</p><table>{table}</table>"
        f"<pre>{escape(_example(method, path, body, base))}</pre>"
    )


def _body(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    body: dict[str, Any] = schemas.get(name, {})
    return body


def _kind(schema: dict[str, Any]) -> str:
    kinds = schema.get("anyOf", [schema])
    text = " or ".join(" | ".join(kind.get("enum", [kind.get("type", "any")])) for kind in kinds)
    default = schema.get("default")
    return text if default is None else f"{text}, default {default}"


def _example(method: str, path: str, body: dict[str, Any], base: str) -> str:
    words = ['curl -s -H "Authorization: Bearer $ACKSIM_TOKEN"']
    if method != "get":
        words.append(f"-X {method.upper()}")
    if body:
        words.append("-H 'content-type: application/json'")
        words.append(f"-d '{body.get('example', '{}')}'")
    words.append(base + path.replace("{cluster_id}", "default"))
    return " ".join(words)
