"""Policy rules: what one allows, and what some rules grant beyond others.

After k8s.io/component-helpers auth/rbac/validation and pkg/apis/rbac of Kubernetes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Texts = tuple[str, ...]
ANY = "*"


class Attributes(Protocol):
    """A request, as far as rules look at it; ``resource`` is "" for a path outside the API."""

    @property
    def verb(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def subresource(self) -> str: ...
    @property
    def name(self) -> str: ...


class Rule(NamedTuple):
    """A PolicyRule; for resources or for paths, never both."""

    verbs: Texts = ()
    groups: Texts = ()
    resources: Texts = ()
    names: Texts = ()
    urls: Texts = ()

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "Rule":
        """Read a PolicyRule in JSON form."""
        fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        return cls(*(tuple(obj.get(field) or ()) for field in fields))

    def as_object(self) -> dict[str, list[str]]:
        """Return the PolicyRule in JSON form."""
        fields = {
            "verbs": self.verbs,
            "apiGroups": self.groups,
            "resources": self.resources,
            "resourceNames": self.names,
            "nonResourceURLs": self.urls,
        }
        return {name: list(values) for name, values in fields.items() if values}

    def allows(self, asked: Attributes) -> bool:
        if asked.verb not in self.verbs and ANY not in self.verbs:
            return False
        if not asked.resource:
            return _url_covered(self.urls, asked.path)
        return (
            (asked.group in self.groups or ANY in self.groups)
            and _resource_covered(self.resources, asked.resource, asked.subresource)
            and (not self.names or asked.name in self.names)
        )

    def covers(self, part: "Rule") -> bool:
        """Tell whether whoever has this rule has ``part``, one of its like's smallest parts."""
        return (
            (ANY in self.verbs or set(part.verbs) <= set(self.verbs))
            and (ANY in self.groups or set(part.groups) <= set(self.groups))
            and all(_resource_covered(self.resources, *_split(r)) for r in part.resources)
            and all(_url_covered(self.urls, url) for url in part.urls)
            and (not self.names or bool(part.names and set(part.names) <= set(self.names)))
        )

    def parts(self) -> Iterator["Rule"]:
        """Yield the rule's smallest parts: one verb on one resource, name or path."""
        for verb in self.verbs:
            for group in self.groups:
                for resource in self.resources:
                    for name in self.names or ("",):
                        named = (name,) if self.names else ()
                        yield Rule((verb,), (group,), (resource,), named)
            for url in self.urls:
                yield Rule((verb,), urls=(url,))

    def __str__(self) -> str:
        shown = {
            "APIGroups": self.groups,
            "Resources": self.resources,
            "NonResourceURLs": self.urls,
            "ResourceNames": self.names,
            "Verbs": self.verbs,
        }
        return f"{{{', '.join(f'{name}:{quoted(v)}' for name, v in shown.items() if v)}}}"


def _split(resource: str) -> tuple[str, str]:
    name, _, subresource = resource.partition("/")
    return name, subresource


def _resource_covered(held: Texts, resource: str, subresource: str) -> bool:
    if ANY in held:
        return True
    if not subresource:
        return resource in held
    return f"{resource}/{subresource}" in held or f"*/{subresource}" in held


def _url_covered(held: Texts, path: str) -> bool:
    return any(
        url == path or (url.endswith("*") and path.startswith(url.rstrip("*"))) for url in held
    )


def missing(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """Return the parts of ``wanted`` that no rule of ``held`` covers."""
    return [
        part
        for rule in wanted
        for part in rule.parts()
        if not any(own.covers(part) for own in held)
    ]


def described(parts: Iterable[Rule]) -> list[str]:
    """Return texts for smallest parts, those of one resource joined, sorted."""
    joined: dict[Rule, Texts] = {}
    for part in parts:
        rest = part if part.urls else part._replace(verbs=())
        known = joined.get(rest, ())
        joined[rest] = known if part.verbs[0] in known else (*known, *part.verbs)
    return sorted({str(rest._replace(verbs=verbs)) for rest, verbs in joined.items()})


def quoted(values: Iterable[str]) -> str:
    """Write strings as Go's %q writes a slice."""
    return f"[{' '.join(json.dumps(value, ensure_ascii=False) for value in values)}]"
