"""Users as authorization sees them (k8s.io/apiserver authentication/user)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
SERVICE_ACCOUNTS = "system:serviceaccounts"


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A name, groups, and what else the credential told."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


ANONYMOUS = UserInfo("system:anonymous", (UNAUTHENTICATED,))


def authenticated(groups: Iterable[str]) -> tuple[str, ...]:
    """Return ``groups`` with the one that everybody known is in."""
    return (*(group for group in groups if group != AUTHENTICATED), AUTHENTICATED)


def service_account_name(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def service_account(
    namespace: str, name: str, uid: str, extra: Mapping[str, Sequence[str]]
) -> UserInfo:
    """Return the user that a ServiceAccount is."""
    groups = (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}", AUTHENTICATED)
    return UserInfo(service_account_name(namespace, name), groups, uid, extra)
