"""ObjectMeta: what the server stamps, what it keeps, and what it refuses.

After k8s.io/apiserver registry/rest and k8s.io/apimachinery api/validation.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apiserver_shim.objects import names
from apiserver_shim.objects.errors import FieldError, forbidden, invalid, required, too_long

Object = dict[str, Any]
NameRule = Callable[[str], list[str]]

ANNOTATIONS_LIMIT = 256 * 1024
STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_BASE = 58
_SERVER_SET = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "generation",
)


def timestamp(when: datetime) -> str:
    """Return RFC 3339 in UTC, whole seconds, as metav1.Time does."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def generated_name(base: str, token_bytes: Callable[[int], bytes]) -> str:
    """Return ``base`` with the five random letters of generateName."""
    # 27 letters: bytes from 243 on would favour the first ones
    letters = [_SUFFIX_ALPHABET[b % 27] for b in token_bytes(40) if b < 243][:5]
    return base[:_GENERATED_BASE] + "".join(letters)


def stamp_new(meta: Object, now: datetime, token_bytes: Callable[[int], bytes]) -> None:
    """Wipe what only the server may set, then set it."""
    for field in _SERVER_SET:
        meta.pop(field, None)
    meta["uid"] = str(uuid.UUID(bytes=token_bytes(16), version=4))
    meta["creationTimestamp"] = timestamp(now)


def carry_over(meta: Object, old: Object) -> None:
    """Restore what an update may leave out or cannot change."""
    meta.setdefault("uid", old.get("uid", ""))
    if not meta["uid"]:
        meta["uid"] = old.get("uid", "")
    for field in (
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ):
        if field in old:
            meta[field] = old[field]
        else:
            meta.pop(field, None)
    meta.pop("selfLink", None)


def validate(meta: Object, *, namespaced: bool, name_rule: NameRule) -> list[FieldError]:
    """Return the complaints about the metadata of a new or changed object."""
    found: list[FieldError] = []
    prefix, name = meta.get("generateName"), meta.get("name", "")
    if prefix:
        # the random letters will follow: a trailing dash is no error yet
        masked = prefix[:-1] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
        found += [invalid("metadata.generateName", prefix, m) for m in name_rule(masked)]
    if not name:
        found.append(required("metadata.name", "name or generateName is required"))
    else:
        found += [invalid("metadata.name", name, m) for m in name_rule(name)]
    if namespaced:
        found += _namespace(meta.get("namespace", ""))
    elif meta.get("namespace"):
        found.append(forbidden("metadata.namespace", "not allowed on this type"))
    found += _owner_references(meta.get("ownerReferences") or [])
    found += _annotations(meta.get("annotations") or {})
    found += _labels(meta.get("labels") or {})
    found += _finalizers(meta.get("finalizers") or [])
    return found


def _namespace(namespace: str) -> list[FieldError]:
    if not namespace:
        return [required("metadata.namespace")]
    return [invalid("metadata.namespace", namespace, m) for m in names.dns1123_label(namespace)]


def _owner_references(references: list[Object]) -> list[FieldError]:
    found = []
    for index, reference in enumerate(references):
        at = f"metadata.ownerReferences[{index}]"
        if not reference.get("apiVersion"):
            found.append(invalid(f"{at}.apiVersion", "", "version must not be empty"))
        found += [
            invalid(f"{at}.{field}", "", "must not be empty")
            for field in ("kind", "name", "uid")
            if not reference.get(field)
        ]
    return found


def _annotations(annotations: dict[str, str]) -> list[FieldError]:
    found = [
        invalid("metadata.annotations", key, message)
        for key in annotations
        for message in names.qualified_name(key.lower())
    ]
    size = sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        found.append(too_long("metadata.annotations", ANNOTATIONS_LIMIT))
    return found


def _labels(labels: dict[str, str]) -> list[FieldError]:
    found = []
    for key, value in labels.items():
        found += [invalid("metadata.labels", key, m) for m in names.qualified_name(key)]
        found += [invalid("metadata.labels", value, m) for m in names.label_value(value)]
    return found


def _finalizers(finalizers: list[str]) -> list[FieldError]:
    at = "metadata.finalizers"
    found = [invalid(at, name, m) for name in finalizers for m in names.qualified_name(name)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        found.append(
            invalid(at, finalizers, "finalizer orphan and foregroundDeletion cannot be both set")
        )
    for index, finalizer in enumerate(finalizers):
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            found.append(invalid(f"{at}[{index}]", finalizer, detail))
    return found


def validate_update(meta: Object, old: Object) -> list[FieldError]:
    """Return the complaints about what an update may never change."""
    found = []
    if old.get("deletionTimestamp"):
        new = [f for f in meta.get("finalizers") or [] if f not in (old.get("finalizers") or [])]
        if new:
            listed = ", ".join(f'"{finalizer}"' for finalizer in new)
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            found.append(forbidden("metadata.finalizers", detail))
    found += [
        invalid(f"metadata.{field}", meta.get(field, ""), "field is immutable")
        for field in ("name", "namespace", "uid")
        if meta.get(field, "") != old.get(field, "")
    ]
    return found
