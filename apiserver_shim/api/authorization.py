"""Who may do what: system:masters everything, everybody discovery and health.

Role-based rules have their place here; until then nobody else may touch objects.
"""

from typing import NamedTuple

from apiserver_shim.api.authentication import AUTHENTICATED, AuthMode, UserInfo
from apiserver_shim.api.request import RequestInfo
from apiserver_shim.objects.errors import ForbiddenError

MASTERS = "system:masters"

_PUBLIC = frozenset(("/version", "/healthz", "/livez", "/readyz", "/api", "/apis", "/openapi"))
_SELF_REVIEWS = frozenset(
    ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")
)


class Decision(NamedTuple):
    allowed: bool
    reason: str = ""


def authorize(mode: AuthMode, user: UserInfo, info: RequestInfo) -> Decision:
    """Decide about one request, or about one that somebody asks about."""
    if mode == "off" or MASTERS in user.groups or _is_public(info) or _is_self_review(user, info):
        return Decision(allowed=True)
    if mode == "soft":
        return Decision(
            allowed=True, reason=f"only because authorization is soft: {denial(user, info)}"
        )
    return Decision(allowed=False)


def _is_public(info: RequestInfo) -> bool:
    if info.resource or info.verb not in {"get", "head"}:
        return False
    return "/" + info.path.split("/")[1] in _PUBLIC


def _is_self_review(user: UserInfo, info: RequestInfo) -> bool:
    return (
        info.verb == "create"
        and info.resource in _SELF_REVIEWS
        and info.group in {"authentication.k8s.io", "authorization.k8s.io"}
        and AUTHENTICATED in user.groups
    )


def denial(user: UserInfo, info: RequestInfo) -> str:
    """Return upstream's words for what ``user`` may not do."""
    if not info.resource:
        return f'User "{user.name}" cannot {info.verb} path "{info.path}"'
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    where = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    return (
        f'User "{user.name}" cannot {info.verb} resource "{resource}" '
        f'in API group "{info.group}" {where}'
    )


def forbidden(user: UserInfo, info: RequestInfo) -> ForbiddenError:
    group = f".{info.group}" if info.group else ""
    resource = f"{info.resource}{group}" if info.resource else ""
    return ForbiddenError(resource, info.name, denial(user, info))
