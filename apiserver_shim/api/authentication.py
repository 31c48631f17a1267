"""Who asks: a client certificate, a static bearer token, or nobody.

After k8s.io/apiserver authentication. A credential belongs to one cluster and is refused by all
others, although one CA signs them all: the certificate's OU names the cluster.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from apiserver_shim.access.users import ANONYMOUS, UserInfo, authenticated
from apiserver_shim.clusters import DEFAULT_CLUSTER, ClusterSpec, StaticToken

AuthMode = Literal["off", "soft", "strict"]


class BadCredentialError(Exception):
    """Something was presented, and this cluster does not accept it."""


def authenticate(
    spec: ClusterSpec, authorization: bytes, certificate: Mapping[str, Any] | None
) -> UserInfo:
    """Return who asks; raises BadCredentialError.

    ``certificate`` is a verified peer certificate as ``ssl.SSLSocket.getpeercert`` gives it.
    """
    if certificate:
        user = _certificate_user(spec, certificate)
        if user is not None:
            return user
    if authorization:
        return _token_user(spec.tokens, authorization)
    if certificate:
        raise BadCredentialError
    return ANONYMOUS


def _certificate_user(spec: ClusterSpec, certificate: Mapping[str, Any]) -> UserInfo | None:
    names: dict[str, list[str]] = {}
    for part in certificate.get("subject", ()):
        for kind, value in part:
            names.setdefault(kind, []).append(value)
    # a certificate of somebody else's PKI names no cluster; it can only mean the default one
    clusters = names.get("organizationalUnitName", [DEFAULT_CLUSTER])
    common = names.get("commonName", [])
    if clusters != [spec.id] or not common or not common[-1]:
        return None
    return UserInfo(common[-1], authenticated(names.get("organizationName", [])))


def _token_user(tokens: Iterable[StaticToken], authorization: bytes) -> UserInfo:
    scheme, _, token = authorization.strip().partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token:
        raise BadCredentialError
    found: StaticToken | None = None
    for candidate in tokens:
        # all are compared, so that time tells nothing about which one was near
        if hmac.compare_digest(candidate.token.encode(), token):
            found = candidate
    if found is None:
        raise BadCredentialError
    return UserInfo(found.user, authenticated(found.groups), found.uid)
