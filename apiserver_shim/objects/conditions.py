"""What a Terminating namespace says about why it is still there.

The conditions of kube-controller-manager's namespace controller.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


def content_conditions(
    failures: Sequence[str], left: Sequence[tuple[str, Object]], when: str
) -> list[Object]:
    """Tell what could not be deleted, and what waits for finalizers.

    ``left`` holds (resource, object) pairs.
    """
    return [
        _condition(
            "NamespaceDeletionContentFailure",
            ("ContentDeletionFailed", _failed(failures)) if failures else None,
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
            when,
        ),
        _condition(
            "NamespaceContentRemaining",
            ("SomeResourcesRemain", _remaining(left)) if left else None,
            ("ContentRemoved", "All content successfully removed"),
            when,
        ),
        _condition(
            "NamespaceFinalizersRemaining",
            ("SomeFinalizersRemain", _finalizers(left)) if left else None,
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
            when,
        ),
    ]


def with_conditions(namespace: Object, conditions: Sequence[Object]) -> Object:
    """Return the namespace with new conditions; unchanged answers keep their time."""
    status = namespace.get("status") or {}
    old = {condition["type"]: condition for condition in status.get("conditions") or []}
    dated = []
    for condition in conditions:
        before = old.get(condition["type"], {})
        same = before.get("status") == condition["status"]
        when = before["lastTransitionTime"] if same else condition["lastTransitionTime"]
        dated.append({**condition, "lastTransitionTime": when})
    return {**namespace, "status": {**status, "conditions": dated}}


def _condition(kind: str, bad: tuple[str, str] | None, good: tuple[str, str], when: str) -> Object:
    reason, message = bad or good
    return {
        "type": kind,
        "status": "True" if bad else "False",
        "lastTransitionTime": when,
        "reason": reason,
        "message": message,
    }


def _failed(failures: Sequence[str]) -> str:
    joined = failures[0] if len(failures) == 1 else f"[{', '.join(dict.fromkeys(failures))}]"
    return f"Failed to delete all resource types, {len(failures)} remaining: {joined}"


def _remaining(left: Sequence[tuple[str, Object]]) -> str:
    counts = Counter(resource for resource, _ in left)
    listed = ", ".join(f"{name}. has {n} resource instances" for name, n in counts.items())
    return f"Some resources are remaining: {listed}"


def _finalizers(left: Sequence[tuple[str, Object]]) -> str:
    counts = Counter(name for _, obj in left for name in obj["metadata"].get("finalizers", ()))
    listed = ", ".join(f"{name} in {n} resource instances" for name, n in counts.items())
    return f"Some content in the namespace has finalizers remaining: {listed}"
