"""The Kubernetes API: paths, verbs, bodies, patches, selectors, tables and watches."""

import asyncio
import json
from random import Random
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from acksim.clients.kubernetes import kubernetes_access
from apiserver_shim.errors import ShimError
from apiserver_shim.storage import codec
from tests.fuzz.door import (
    ODD_TEXTS,
    ODD_VALUES,
    WORKERS,
    Case,
    ViolationError,
    altered,
    as_bytes,
    as_text,
    mutated,
    pick,
)
from tests.fuzz.lab import Lab
from tests.fuzz.wire import Answer, NoAnswerError, Wire, request_bytes

_META = {"name": "NAME", "labels": {"a": "b"}, "annotations": {"c": "d"}}
_MANAGED = {
    "manager": "m",
    "operation": "Update",
    "apiVersion": "v1",
    "time": "2026-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:data": {"f:k": {}}},
}
_OBJECTS: dict[str, dict[str, Any]] = {
    "secrets": {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**_META, "managedFields": [_MANAGED]},
        "type": "Opaque",
        "data": {"k": "YQ=="},
        "stringData": {"l": "text"},
        "immutable": False,
    },
    "configmaps": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**_META, "finalizers": [], "ownerReferences": []},
        "data": {"k": "v"},
        "binaryData": {"b": "YQ=="},
    },
    "serviceaccounts": {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _META,
        "secrets": [{"name": "s"}],
        "imagePullSecrets": [{"name": "p"}],
        "automountServiceAccountToken": True,
    },
    "events": {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": _META,
        "involvedObject": {"kind": "Secret", "namespace": "NAMESPACE", "name": "s"},
        "reason": "r",
        "message": "m",
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "count": 1,
        "type": "Normal",
        "source": {"component": "c"},
        "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"},
        "reportingComponent": "x",
        "reportingInstance": "y",
        "action": "a",
    },
    "roles": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": _META,
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    },
    "rolebindings": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": _META,
        "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
    },
}
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_JSON_PATCH: list[dict[str, Any]] = [
    {"op": "test", "path": "/metadata/name", "value": "NAME"},
    {"op": "add", "path": "/metadata/labels/x", "value": "y"},
    {"op": "copy", "from": "/metadata/labels", "path": "/metadata/annotations"},
    {"op": "replace", "path": "/data/k", "value": "Yg=="},
    {"op": "remove", "path": "/metadata/labels/a"},
]
_ACCEPTS = (
    "application/json",
    "application/vnd.kubernetes.protobuf",
    "application/yaml",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "*/*",
    "text/html",
    "",
)
_QUERY = (
    "limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector",
    "fieldSelector", "timeoutSeconds", "dryRun", "fieldManager", "fieldValidation", "force",
    "pretty", "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "includeObject",
    "allowWatchBookmarks", "sendInitialEvents", "ignoreStoreReadErrorWithClusterBreakingPotential",
)  # fmt: skip
_QUERY_VALUES = (
    *ODD_TEXTS, "metadata.name=NAME", "a=b,c!=d,e in (f,g),!h", "a=b" + ",a=b" * 200, "All",
    "Strict", "Warn", "Ignore", "Exact", "NotOlderThan", "500", "Background",
)  # fmt: skip
_OTHER_PATHS = (
    "/", "/api", "/apis", "/api/v1", "/openapi/v2", "/openapi/v3", "/openapi/v3/api/v1",
    "/version", "/metrics", "/readyz", "/livez?verbose", "/healthz/etcd", "/apis/x/v1", "/x",
    "/.well-known/openid-configuration", "/openid/v1/jwks", "/api/v1/namespaces/NAMESPACE",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles", "/api/v1/secrets", "/api/v1/events",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "//api//v1", "/api/v1/%2e%2e/secrets",
    "/api/v1/namespaces/NAMESPACE/serviceaccounts/default/token",
)  # fmt: skip
# Upstream answers 500 for an applied object that its schema does not know, in these words.
_UPSTREAM_500 = "failed to create typed patch object"
_FRAMES = ("data", "stringData", "binaryData", "metadata", "subjects", "rules", "series")


class KubernetesDoor:
    """No unnamed 500, no wait that is not asked for, and what is accepted is read back equal."""

    name: ClassVar[str] = "kubernetes"
    share: ClassVar[int] = 15
    alone: ClassVar[bool] = False
    in_process: ClassVar[bool] = False

    def __init__(self) -> None:
        self._wires: dict[int, Wire] = {}

    async def open(self, lab: Lab) -> None:
        cluster = lab.v2
        access = kubernetes_access(lab.world.kubeconfig(cluster.id))
        parts = urlsplit(access.server)
        self._host, self._prefix = parts.netloc, parts.path
        self._place = (parts.hostname or "", parts.port or 0)
        self._context = access.context
        for worker in range(-1, WORKERS):  # of its own, for others delete collections
            body = {"metadata": {"name": _namespace(worker)}}
            await asyncio.to_thread(cluster.core_v1.create_namespace, body)

    def new_case(self, random: Random) -> Case:
        resource = pick(random, list(_OBJECTS))
        group = "/apis/rbac.authorization.k8s.io/v1" if resource.startswith("role") else "/api/v1"
        listing = f"{group}/namespaces/NAMESPACE/{resource}"
        choice = random.random()
        case: Case = {"accept": _ACCEPTS[0]}
        if choice < 0.35:
            case |= {"method": "POST", "path": listing, **_object_body(random, resource)}
        elif choice < 0.5:
            case |= {"method": "PUT", "path": f"{listing}/NAME", **_object_body(random, resource)}
        elif choice < 0.7:
            case |= {"method": "PATCH", "path": f"{listing}/NAME", **_patch_body(random, resource)}
        elif choice < 0.9:
            single = random.random() < 0.4
            case |= {
                "method": pick(random, ("GET", "GET", "GET", "DELETE", "HEAD", "OPTIONS", "FOO")),
                "path": f"{listing}/NAME" if single else listing,
                "accept": pick(random, _ACCEPTS),
            }
        else:
            case |= {
                "method": pick(random, ("GET", "GET", "POST", "HEAD", "PUT")),
                "path": pick(random, _OTHER_PATHS),
                "accept": pick(random, _ACCEPTS),
            }
            if case["method"] in {"POST", "PUT"}:
                value = altered(random, {"apiVersion": "v1", "kind": "X", "spec": {"a": [1]}})
                case |= {"type": "application/json", "body": _json(value)}
        if random.random() < 0.4:
            names = [pick(random, _QUERY) for _ in range(1 + int(random.random() * 2))]
            case["query"] = [[name, pick(random, _QUERY_VALUES)] for name in names]
        return case

    async def attempt(self, case: Case, worker: int) -> str:
        wire = self._wires.setdefault(worker, Wire(*self._place, self._context))
        names = {"NAMESPACE": _namespace(worker), "NAME": f"fuzz-{worker}"}
        path = self._prefix + _named(case["path"], names)
        query = "&".join(
            f"{name}={quote(_named(value, names), errors='replace')}"
            for name, value in case.get("query", [])
        )
        body = as_bytes(_named(case.get("body", ""), names))
        answer = await self._exchange(
            wire, case["method"], f"{path}?{query}" if query else path, case, body
        )
        _check(answer)
        if (
            answer.status in {200, 201}
            and case["method"] in {"POST", "PUT", "PATCH"}
            and "dryRun" not in query
            and answer.headers.get("content-type", "").startswith("application/json")
        ):
            await self._read_back(wire, path, case["method"], answer.body)
        return str(answer.status)

    async def close(self) -> None:
        """Whatever was stored: everything still lists, and goes when it is told to."""
        wire = self._wires.setdefault(-1, Wire(*self._place, self._context))
        for resource in _OBJECTS:
            group = (
                "/apis/rbac.authorization.k8s.io/v1" if resource.startswith("role") else "/api/v1"
            )
            path = f"{self._prefix}{group}/{resource}"
            answer = await self._exchange(wire, "GET", path, {"accept": _ACCEPTS[0]}, b"")
            if answer.status != 200:
                raise ViolationError(f"{resource} do not list any more: {answer.body[:400]!r}")
        for one in self._wires.values():
            await one.close()

    async def _exchange(
        self, wire: Wire, method: str, target: str, case: Case, body: bytes
    ) -> Answer:
        headers = [("host", self._host), ("accept", case.get("accept", ""))]
        if "type" in case:
            headers.append(("content-type", case["type"]))
        try:
            return await wire.exchange(
                request_bytes(method, target, headers, body), head_only=method == "HEAD"
            )
        except NoAnswerError as error:
            raise ViolationError(f"the connection was closed without an answer: {error}") from None
        except TimeoutError:
            raise ViolationError("no answer within twenty seconds") from None

    async def _read_back(self, wire: Wire, path: str, method: str, written: bytes) -> None:
        content = json.loads(written)
        meta = content.get("metadata") if isinstance(content, dict) else None
        if not isinstance(meta, dict) or "resourceVersion" not in meta:
            return
        target = f"{path}/{quote(meta['name'], safe='')}" if method == "POST" else path
        answer = await self._exchange(wire, "GET", target, {"accept": _ACCEPTS[0]}, b"")
        if answer.status == 404 and "deletionTimestamp" in meta:
            return
        if answer.status != 200:
            shown = f"{answer.body[:200]!r} of {written[:600]!r}"
            raise ViolationError(f"accepted, then GET answers {answer.status}: {shown}")
        found = json.loads(answer.body)
        same_version = found["metadata"].get("resourceVersion") == meta["resourceVersion"]
        if same_version and found != content:
            raise ViolationError(
                f"read back otherwise: wrote {written[:600]!r}, got {answer.body[:600]!r}"
            )


def _namespace(worker: int) -> str:
    return f"fuzz-of-{worker + 1}"


def _named(text: str, names: dict[str, str]) -> str:
    for word, name in names.items():
        text = text.replace(word, name)
    return text


def _json(value: Any) -> str:
    return as_text(json.dumps(value).encode("utf-8", "surrogatepass"))


def _object_body(random: Random, resource: str) -> Case:
    value = _OBJECTS[resource]
    for _ in range(int(random.random() * 3)):
        value = altered(random, value)
        if not isinstance(value, dict):
            break
    choice = random.random()
    if choice < 0.6:
        return {"type": "application/json", "body": _json(value)}
    if choice < 0.75:
        text = _json(value)  # JSON is YAML; its mutations are not
        return {"type": "application/yaml", "body": as_text(mutated(random, as_bytes(text)))}
    try:
        data = codec.encode_body(value)
    except (ShimError, TypeError, AttributeError, ValueError):
        data = codec.encode_body(_OBJECTS[resource])
    if random.random() < 0.7:
        data = data[:4] + mutated(random, data[4:])
    return {"type": "application/vnd.kubernetes.protobuf", "body": as_text(data)}


def _patch_body(random: Random, resource: str) -> Case:
    kind = pick(random, _PATCHES)
    if kind == _PATCHES[0]:
        value: Any = altered(random, _JSON_PATCH)
    elif kind == _PATCHES[3]:
        value = altered(random, _OBJECTS[resource])
    else:
        name = pick(random, _FRAMES)
        value = {
            name: altered(random, _OBJECTS[resource].get(name, {"a": pick(random, ODD_VALUES)}))
        }
    case: Case = {"type": kind, "body": _json(value)}
    if kind == _PATCHES[3]:
        case["query"] = [["fieldManager", "fuzz"]]
    return case


def _check(answer: Answer) -> None:
    if answer.status < 500:
        return
    try:
        in_protobuf = answer.body.startswith(b"k8s\0")
        status = codec.decode_body(answer.body) if in_protobuf else json.loads(answer.body)
        message = str(status["message"])
    except (ShimError, ValueError, KeyError, TypeError):
        raise ViolationError(f"status {answer.status}: {answer.body[:400]!r}") from None
    named = bool(message) and "unexpected error" not in message
    if not named or (answer.status == 500 and not message.startswith(_UPSTREAM_500)):
        raise ViolationError(f"status {answer.status}: {message[:600]}")
