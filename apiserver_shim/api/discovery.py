"""Discovery: what this server has, so that clients can find it."""

from collections.abc import Mapping
from typing import Any

from apiserver_shim.groups import RBAC
from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.strategy import Strategy

Object = dict[str, Any]

GIT_VERSION = "v1.32.0"

# what a storage version is recognised by: base64 of the first 8 bytes of sha256(group/version/Kind)
_STORAGE_VERSION_HASHES: Mapping[str, str] = {
    "secrets": "S6u1pOWzb84=",
    "serviceaccounts": "pbx9ZvyFpBE=",
    "namespaces": "Q3oi5N2YM8M=",
    "configmaps": "qFsyl6wFWjQ=",
    "events": "r2yiGXH7wu8=",
    "clusterrolebindings": "48tpQ8gZHFc=",
    "clusterroles": "bYE5ZWDrJ44=",
    "rolebindings": "eGsCzGH6b1g=",
    "roles": "7FuwZcIIItM=",
}
_REVIEWS: Mapping[str, Mapping[str, str]] = {
    "authentication.k8s.io": {
        "selfsubjectreviews": "SelfSubjectReview",
        "tokenreviews": "TokenReview",
    },
    "authorization.k8s.io": {
        "localsubjectaccessreviews": "LocalSubjectAccessReview",
        "selfsubjectaccessreviews": "SelfSubjectAccessReview",
        "selfsubjectrulesreviews": "SelfSubjectRulesReview",
        "subjectaccessreviews": "SubjectAccessReview",
    },
}
GROUPS = (*_REVIEWS, RBAC)

_SUBRESOURCE_KINDS: Mapping[str, Mapping[str, str]] = {
    "token": {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"}
}


def version(of: KubernetesVersion) -> Object:
    return {
        "major": "1",
        "minor": str(of.minor),
        "gitVersion": of.git_version,
        "gitCommit": "acksim",
        "gitTreeState": "clean",
        "buildDate": "2024-12-11T17:59:15Z",
        "goVersion": "go1.23.3",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def root() -> Object:
    groups = [f"/apis/{group}" for group in GROUPS]
    paths = ["/api", "/api/v1", "/apis", *groups, *(f"{path}/v1" for path in groups)]
    health = ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
    return {"paths": [*paths, *health]}


def core_versions(address: str) -> Object:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def groups() -> Object:
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(g) for g in GROUPS]}


def group(name: str) -> Object | None:
    if name not in GROUPS:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def _group(name: str) -> Object:
    preferred = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [preferred], "preferredVersion": preferred}


def core_resources() -> Object:
    return {"kind": "APIResourceList", "groupVersion": "v1", "resources": _stored_rows("")}


def _stored_rows(group: str) -> list[Object]:
    strategies = (strategy for strategy in KINDS.values() if strategy.group == group)
    rows = [row for strategy in strategies for row in _resource_rows(strategy)]
    return sorted(rows, key=lambda row: str(row["name"]))


def _resource_rows(strategy: Strategy) -> list[Object]:
    row: Object = {
        "name": strategy.resource,
        "singularName": strategy.singular,
        "namespaced": strategy.namespaced,
        "kind": strategy.kind,
        "verbs": list(strategy.verbs),
        "storageVersionHash": _STORAGE_VERSION_HASHES[strategy.resource],
    }
    if strategy.short_names:
        row["shortNames"] = list(strategy.short_names)
    rows = [row]
    for subresource, verbs in strategy.subresources.items():
        rows.append(
            {
                "name": f"{strategy.resource}/{subresource}",
                "singularName": "",
                "namespaced": strategy.namespaced,
                "kind": strategy.kind,
                "verbs": list(verbs),
                **_SUBRESOURCE_KINDS.get(subresource, {}),
            }
        )
    return rows


def group_resources(name: str) -> Object | None:
    if name not in GROUPS:
        return None
    rows = [*_stored_rows(name)]
    rows += [
        {
            "name": resource,
            "singularName": kind.lower(),
            "namespaced": resource.startswith("local"),
            "kind": kind,
            "verbs": ["create"],
        }
        for resource, kind in _REVIEWS.get(name, {}).items()
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{name}/v1",
        "resources": rows,
    }
