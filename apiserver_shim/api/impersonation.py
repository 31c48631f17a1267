"""Acting as somebody else: the Impersonate- headers, each a permission of its own.

After k8s.io/apiserver endpoints/filters.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from apiserver_shim.access.users import (
    ANONYMOUS,
    AUTHENTICATED,
    SERVICE_ACCOUNTS,
    UNAUTHENTICATED,
    UserInfo,
)
from apiserver_shim.api.authentication import AuthMode
from apiserver_shim.api.authorization import authorize, forbidden
from apiserver_shim.api.request import ApiRequest, RequestInfo
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.objects.names import dns1123_label, dns1123_subdomain

_PREFIX = b"impersonate-"
_USER, _GROUP, _UID = b"impersonate-user", b"impersonate-group", b"impersonate-uid"
_EXTRA = b"impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"
_ACCOUNT = "system:serviceaccount:"
_is_malformed = re.compile(r"%(?![0-9A-Fa-f]{2})").search


class Wanted(NamedTuple):
    """One thing that a request wants to be, as a resource; ``key`` of a userextra."""

    kind: str
    resource: str
    name: str
    namespace: str = ""
    key: str = ""

    @property
    def group(self) -> str:
        return _AUTHENTICATION if self.resource in {"uids", "userextras"} else ""

    def __str__(self) -> str:
        """Write it as upstream's ObjectReference prints itself."""
        version = f"{_AUTHENTICATION}/v1" if self.group else ""
        return f"{{{self.kind} {self.namespace} {self.name}  {version}  {self.key}}}"


def is_impersonating(request: ApiRequest) -> bool:
    return any(name.startswith(_PREFIX) for name in request.headers)


async def impersonated(request: ApiRequest, mode: AuthMode) -> UserInfo | None:
    """Return whom the request may act as, None when it names nobody.

    Raises ForbiddenError for the first thing that its user may not be, and BadRequestError.
    """
    wanted = list(_wanted(request))
    if not wanted:
        return None
    if wanted[0].kind not in {"User", "ServiceAccount"}:
        told = " ".join(str(one) for one in wanted)
        raise BadRequestError(f"requested [{told}] without impersonating a user")
    for one in wanted:
        info = RequestInfo(
            verb="impersonate",
            path=request.path,
            group=one.group,
            version="v1" if one.group else "",
            namespace=one.namespace,
            resource=one.resource,
            name=one.name,
            subresource=one.key,
        )
        decision = await authorize(mode, request.user, info, request.cluster)
        if not decision.allowed:
            raise forbidden(request.user, info, decision.reason)
        if decision.warning:
            request.warnings.append(decision.warning)
    return _user(wanted)


def _wanted(request: ApiRequest) -> Iterator[Wanted]:
    headers = [(name, value.decode("latin-1")) for name, value in request.scope["headers"]]
    user = next((value for name, value in headers if name == _USER), "")
    if user:
        namespace, name = _account(user)
        if name:
            yield Wanted("ServiceAccount", "serviceaccounts", name, namespace)
        else:
            yield Wanted("User", "users", user)
    for header, value in headers:
        if header == _GROUP:
            yield Wanted("Group", "groups", value)
    for header, value in headers:
        if header.startswith(_EXTRA):
            key = header[len(_EXTRA) :].decode("latin-1")
            key = key if _is_malformed(key) else unquote(key)
            yield Wanted("UserExtra", "userextras", value, key=key)
    uid = next((value for name, value in headers if name == _UID), "")
    if uid:
        yield Wanted("UID", "uids", uid)


def _account(user: str) -> tuple[str, str]:
    """Return namespace and name of a ServiceAccount's user name, else nothing."""
    parts = user.removeprefix(_ACCOUNT).split(":")
    if not user.startswith(_ACCOUNT) or len(parts) != 2:
        return "", ""
    namespace, name = parts
    if dns1123_label(namespace) or dns1123_subdomain(name):
        return "", ""
    return namespace, name


def _user(wanted: list[Wanted]) -> UserInfo:
    who, *others = wanted
    groups = [one.name for one in others if one.resource == "groups"]
    name = who.name
    if who.kind == "ServiceAccount":
        name = f"{_ACCOUNT}{who.namespace}:{who.name}"
        groups = groups or [SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{who.namespace}"]
    if name == ANONYMOUS.name:
        groups += [] if UNAUTHENTICATED in groups else [UNAUTHENTICATED]
    elif AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        groups.append(AUTHENTICATED)
    extra: dict[str, list[str]] = {}
    for one in others:
        if one.resource == "userextras":
            extra.setdefault(one.key, []).append(one.name)
    uid = next((one.name for one in others if one.resource == "uids"), "")
    return UserInfo(name, tuple(groups), uid, extra)
