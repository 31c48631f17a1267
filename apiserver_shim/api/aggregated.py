"""Aggregated discovery: all groups in one answer (apidiscovery.k8s.io v2 and v2beta1)."""

from collections.abc import Iterable
from typing import Any

from apiserver_shim.api import discovery, negotiation

Object = dict[str, Any]

_GROUP = "apidiscovery.k8s.io"
_KIND = "APIGroupDiscoveryList"
_VERSIONS = ("v2", "v2beta1")


def wanted_version(accept: str) -> str:
    """Return the version that the client prefers to all others, "" for plain discovery."""
    clauses = [negotiation.clause(text) for text in accept.split(",") if text.strip()]
    for quality, media_type, parameters in sorted(clauses, key=lambda one: -one[0]):
        if not quality or media_type not in {negotiation.JSON, "*/*", "application/*"}:
            continue
        version = parameters.get("v", "")
        if parameters.get("as") == _KIND and parameters.get("g") == _GROUP:
            if version in _VERSIONS:
                return version
        elif "as" not in parameters:
            return ""
    return ""


def content_type(version: str) -> bytes:
    return f"{negotiation.JSON};g={_GROUP};v={version};as={_KIND}".encode()


def core(version: str) -> Object:
    """Return what ``/api`` answers."""
    return _document(version, [_group("", discovery.core_resources())])


def groups(version: str) -> Object:
    """Return what ``/apis`` answers."""
    found = [_group(name, discovery.group_resources(name) or {}) for name in discovery.GROUPS]
    return _document(version, found)


def _document(version: str, items: list[Object]) -> Object:
    return {
        "kind": _KIND,
        "apiVersion": f"{_GROUP}/{version}",
        "metadata": {},
        "items": items,
    }


def _group(name: str, plain: Object) -> Object:
    resources = list(_resources(name, plain["resources"]))
    version = {"version": "v1", "freshness": "Current", "resources": resources}
    return {"metadata": {"name": name, "creationTimestamp": None}, "versions": [version]}


def _resources(group: str, rows: Iterable[Object]) -> Iterable[Object]:
    found: dict[str, Object] = {}
    for row in rows:
        name, _, subresource = row["name"].partition("/")
        kind = {
            "group": row.get("group", group),
            "version": row.get("version", "v1"),
            "kind": row["kind"],
        }
        if subresource:
            part = {"subresource": subresource, "responseKind": kind, "verbs": row["verbs"]}
            found[name].setdefault("subresources", []).append(part)
            continue
        found[name] = {
            "resource": name,
            "responseKind": kind,
            "scope": "Namespaced" if row["namespaced"] else "Cluster",
            "singularResource": row["singularName"],
            "verbs": row["verbs"],
            **{key: row[key] for key in ("shortNames", "categories") if key in row},
        }
    return found.values()
