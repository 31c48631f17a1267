"""Who asks: a client certificate, a static bearer token, or nobody.

After k8s.io/apiserver authentication. A credential belongs to one cluster and is refused by all
others, although one CA signs them all: the certificate's OU names the cluster.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from apiserver_shim.access.accounts import Verified
from apiserver_shim.access.tokens import BadTokenError
from apiserver_shim.access.users import ANONYMOUS, UserInfo, authenticated
from apiserver_shim.clusters import DEFAULT_CLUSTER, Cluster, ClusterSpec, StaticToken
from apiserver_shim.errors import StorageError

AuthMode = Literal["off", "soft", "strict"]


class BadCredentialError(Exception):
    """Something was presented, and this cluster does not accept it."""


async def authenticate_token(cluster: Cluster, token: bytes, audiences: Sequence[str]) -> Verified:
    """Return the user of a token, static or an account's; raises BadCredentialError."""
    own = cluster.spec.issuer
    try:
        if not audiences or own in audiences:
            return Verified(static_user(cluster.spec.tokens, token), (own,))
    except BadCredentialError:
        pass  # it may be an account's
    try:
        await cluster.ready()
        return await cluster.accounts.verify(token.decode(), audiences)
    except (BadTokenError, StorageError, UnicodeDecodeError) as error:
        raise BadCredentialError(str(error)) from None


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
        return static_user(spec.tokens, bearer(authorization))
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


def bearer(authorization: bytes) -> bytes:
    """Return the token of an Authorization header; raises BadCredentialError."""
    scheme, _, token = authorization.strip().partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token:
        raise BadCredentialError
    return token


def static_user(tokens: Iterable[StaticToken], token: bytes) -> UserInfo:
    """Return the user of a token that the cluster was given; raises BadCredentialError."""
    found: StaticToken | None = None
    for candidate in tokens:
        # all are compared, so that time tells nothing about which one was near
        if hmac.compare_digest(candidate.token.encode(), token):
            found = candidate
    if found is None:
        raise BadCredentialError
    return UserInfo(found.user, authenticated(found.groups), found.uid)
