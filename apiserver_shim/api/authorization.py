"""Who may do what: system:masters everything, all others what roles grant them."""

from apiserver_shim.access.grants import Decision
from apiserver_shim.access.users import MASTERS, UserInfo
from apiserver_shim.api.authentication import AuthMode
from apiserver_shim.api.request import RequestInfo
from apiserver_shim.clusters import Cluster
from apiserver_shim.objects.errors import ForbiddenError

ALLOWED = Decision(allowed=True)
# open to all by a default role, and to be told even while roles cannot be read
_HEALTH = frozenset(("/healthz", "/livez", "/readyz"))


async def authorize(
    mode: AuthMode, user: UserInfo, info: RequestInfo, cluster: Cluster
) -> Decision:
    """Decide about one request, or about one that somebody asks about."""
    if mode == "off" or MASTERS in user.groups or _asks_for_health(info):
        return ALLOWED
    await cluster.ready()
    decision = (await cluster.roles.grants()).decide(user, info)
    if mode == "soft" and not decision.allowed:
        warning = f"only because authorization is soft: {denial(user, info)}"
        return Decision(allowed=True, warning=warning)
    return decision


def _asks_for_health(info: RequestInfo) -> bool:
    return info.path in _HEALTH and info.verb in {"get", "head"}


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


def forbidden(user: UserInfo, info: RequestInfo, reason: str = "") -> ForbiddenError:
    group = f".{info.group}" if info.group else ""
    resource = f"{info.resource}{group}" if info.resource else ""
    detail = denial(user, info)
    return ForbiddenError(resource, info.name, f"{detail}: {reason}" if reason else detail)
