"""Roles and their bindings (k8s.io/api rbac/v1): shapes, defaults and rules."""

from collections.abc import Sequence
from typing import ClassVar

from apiserver_shim.groups import RBAC
from apiserver_shim.objects import names
from apiserver_shim.objects.errors import FieldError, invalid, not_supported, required
from apiserver_shim.objects.metadata import NameRule
from apiserver_shim.objects.schema import STRING, STRINGS, List, Struct, top_level
from apiserver_shim.objects.strategy import Object, Strategy

SERVICE_ACCOUNT, USER, GROUP = "ServiceAccount", "User", "Group"

_RULE = Struct(
    "PolicyRule",
    dict.fromkeys(
        ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), List(STRING)
    ),
)
_EXPRESSION = Struct(
    "LabelSelectorRequirement", {"key": STRING, "operator": STRING, "values": List(STRING)}
)
_SELECTOR = Struct("LabelSelector", {"matchLabels": STRINGS, "matchExpressions": List(_EXPRESSION)})
_AGGREGATION = Struct("AggregationRule", {"clusterRoleSelectors": List(_SELECTOR)})
_SUBJECT = Struct("Subject", dict.fromkeys(("kind", "apiGroup", "name", "namespace"), STRING))
_ROLE_REF = Struct("RoleRef", dict.fromkeys(("apiGroup", "kind", "name"), STRING))


class _RoleStrategy(Strategy):
    group = RBAC

    def name_rule(self) -> NameRule:
        return names.path_segment

    def validate_content(self, obj: Object) -> list[FieldError]:
        found = []
        for index, rule in enumerate(obj.get("rules") or ()):
            found += _rule_errors(rule, f"rules[{index}]", namespaced=self.namespaced)
        return found


class RoleStrategy(_RoleStrategy):
    resource = "roles"
    singular = "role"
    kind = "Role"
    shape = top_level("Role", {"rules": List(_RULE)})


class ClusterRoleStrategy(_RoleStrategy):
    resource = "clusterroles"
    singular = "clusterrole"
    kind = "ClusterRole"
    namespaced = False
    shape = top_level("ClusterRole", {"rules": List(_RULE), "aggregationRule": _AGGREGATION})


def _rule_errors(rule: Object, at: str, *, namespaced: bool) -> list[FieldError]:
    found = []
    if not rule.get("verbs"):
        found.append(required(f"{at}.verbs", "verbs must contain at least one value"))
    urls, names_given = rule.get("nonResourceURLs"), rule.get("resourceNames")
    groups, resources = rule.get("apiGroups"), rule.get("resources")
    if urls:
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            found.append(invalid(f"{at}.nonResourceURLs", urls, detail))
        if groups or resources or names_given:
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(invalid(f"{at}.nonResourceURLs", urls, detail))
        return found
    if not groups:
        detail = "resource rules must supply at least one api group"
        found.append(required(f"{at}.apiGroups", detail))
    if not resources:
        detail = "resource rules must supply at least one resource"
        found.append(required(f"{at}.resources", detail))
    if names_given and resources and len(resources) > 1:
        detail = "resource names cannot apply to multiple resources"
        found.append(required(f"{at}.resourceNames", detail))
    return found


class _BindingStrategy(Strategy):
    group = RBAC
    role_kinds: ClassVar[Sequence[str]]

    def name_rule(self) -> NameRule:
        return names.path_segment

    def convert(self, obj: Object) -> None:
        reference = obj.setdefault("roleRef", {})
        reference["apiGroup"] = reference.get("apiGroup") or RBAC
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in {USER, GROUP} and not subject.get("apiGroup"):
                subject["apiGroup"] = RBAC

    def validate_content(self, obj: Object) -> list[FieldError]:
        reference = obj.get("roleRef") or {}
        found = []
        if reference.get("apiGroup") != RBAC:
            group = reference.get("apiGroup", "")
            found.append(not_supported("roleRef.apiGroup", group, (RBAC,)))
        if reference.get("kind") not in self.role_kinds:
            kind = reference.get("kind", "")
            found.append(not_supported("roleRef.kind", kind, self.role_kinds))
        name = reference.get("name", "")
        if name:
            found += [invalid("roleRef.name", name, m) for m in names.path_segment(name)]
        else:
            found.append(required("roleRef.name"))
        for index, subject in enumerate(obj.get("subjects") or ()):
            found += _subject_errors(subject, f"subjects[{index}]", namespaced=self.namespaced)
        return found

    def validate_change(self, obj: Object, old: Object) -> list[FieldError]:
        reference = obj.get("roleRef") or {}
        if reference == (old.get("roleRef") or {}):
            return []
        return [invalid("roleRef", reference, "cannot change roleRef")]


def _subject_errors(subject: Object, at: str, *, namespaced: bool) -> list[FieldError]:
    kind, name, group = (subject.get(field, "") for field in ("kind", "name", "apiGroup"))
    found = [] if name else [required(f"{at}.name")]
    if kind == SERVICE_ACCOUNT:
        if name:
            found += [invalid(f"{at}.name", name, m) for m in names.dns1123_subdomain(name)]
        if group:
            found.append(not_supported(f"{at}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            found.append(required(f"{at}.namespace"))
    elif kind in {USER, GROUP}:
        if not name:
            found.append(invalid(f"{at}.name", name, f"{kind.lower()} name cannot be empty"))
        if group != RBAC:
            found.append(not_supported(f"{at}.apiGroup", group, (RBAC,)))
    else:
        found.append(not_supported(f"{at}.kind", kind, (SERVICE_ACCOUNT, USER, GROUP)))
    return found


class RoleBindingStrategy(_BindingStrategy):
    resource = "rolebindings"
    singular = "rolebinding"
    kind = "RoleBinding"
    role_kinds = ("Role", "ClusterRole")
    shape = top_level("RoleBinding", {"subjects": List(_SUBJECT), "roleRef": _ROLE_REF})


class ClusterRoleBindingStrategy(_BindingStrategy):
    resource = "clusterrolebindings"
    singular = "clusterrolebinding"
    kind = "ClusterRoleBinding"
    namespaced = False
    role_kinds = ("ClusterRole",)
    shape = top_level("ClusterRoleBinding", {"subjects": List(_SUBJECT), "roleRef": _ROLE_REF})
