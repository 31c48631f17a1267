"""Tokens of ServiceAccounts: issued, and believed while what they stand for exists.

After pkg/serviceaccount of Kubernetes. Every look-up reads the store: a deleted account's token is
refused at the next request.
"""

import asyncio
import base64
import hmac
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from apiserver_shim.access.tokens import BadTokenError, SigningKey, claims_of
from apiserver_shim.access.users import UserInfo, service_account, service_account_name
from apiserver_shim.errors import ShimError
from apiserver_shim.objects.registry import Registry
from apiserver_shim.storage.store import Key

Object = dict[str, Any]

_LEGACY_ISSUER = "kubernetes/serviceaccount"
_LEGACY = "kubernetes.io/serviceaccount/"
_PRIVATE = "kubernetes.io"
_CREDENTIAL = "authentication.kubernetes.io/credential-id"
_BOUND = {"secret": "secrets"}


class Verified(NamedTuple):
    """Whose token it is, and for which of the audiences asked about."""

    user: UserInfo
    audiences: tuple[str, ...]


class AccountTokens:
    """Issues and checks the tokens of one logical cluster.

    Without a key file the key lives as long as this object, and so do its tokens.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        key: Path | None,
        issuer: str,
        now: Callable[[], datetime],
        token_bytes: Callable[[int], bytes],
    ) -> None:
        self.issuer = issuer
        self._registry = registry
        self._path = key
        self._now = now
        self._token_bytes = token_bytes
        self._key: SigningKey | None = None
        self._loading = asyncio.Lock()

    async def key(self) -> SigningKey:
        """Return the signing key, read or made at first use; raises OSError or ValueError."""
        async with self._loading:
            if self._key is None:
                self._key = await asyncio.to_thread(_load, self._path)
            return self._key

    async def issue(
        self,
        account: Object,
        *,
        audiences: Sequence[str],
        seconds: int,
        bound: tuple[str, Object] | None,
    ) -> tuple[str, int]:
        """Return (a token for ``account``, when it expires); ``bound`` is (kind, object)."""
        meta = account["metadata"]
        now = int(self._now().timestamp())
        private: Object = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        if bound is not None:
            kind, obj = bound
            private[kind] = {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}
        claims = {
            "aud": list(audiences) or [self.issuer],
            "exp": now + seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.UUID(bytes=self._token_bytes(16), version=4)),
            _PRIVATE: private,
            "nbf": now,
            "sub": service_account_name(meta["namespace"], meta["name"]),
        }
        return (await self.key()).sign(claims), now + seconds

    async def issue_legacy(self, account: Object, secret_name: str) -> str:
        """Return the token that a Secret of its own holds; it does not expire."""
        meta = account["metadata"]
        claims = {
            "iss": _LEGACY_ISSUER,
            f"{_LEGACY}namespace": meta["namespace"],
            f"{_LEGACY}secret.name": secret_name,
            f"{_LEGACY}service-account.name": meta["name"],
            f"{_LEGACY}service-account.uid": meta["uid"],
            "sub": service_account_name(meta["namespace"], meta["name"]),
        }
        return (await self.key()).sign(claims)

    async def verify(self, token: str, audiences: Sequence[str] = ()) -> Verified:
        """Return whose token it is; raises BadTokenError, whatever is wrong with it.

        ``audiences`` default to this server's own.
        """
        issuer = claims_of(token).get("iss")
        if issuer not in {self.issuer, _LEGACY_ISSUER}:
            raise BadTokenError("not issued here")
        claims = (await self.key()).verify(token)
        try:
            if issuer == _LEGACY_ISSUER:
                # they name no audience, and are meant for this server alone
                common = _common((self.issuer,), audiences or (self.issuer,))
                return Verified(await self._legacy(token, claims), common)
            return await self._bound(claims, audiences)
        except (KeyError, TypeError, AttributeError):
            raise BadTokenError("claims of another shape") from None
        except ShimError:
            # an account or Secret that cannot be read vouches for nobody
            raise BadTokenError("service account token has been invalidated") from None

    async def _bound(self, claims: Object, audiences: Sequence[str]) -> Verified:
        common = _common(claims["aud"], audiences or (self.issuer,))
        now = self._now().timestamp()
        if now >= claims["exp"]:
            raise BadTokenError("service account token has expired")
        if now < claims["nbf"]:
            raise BadTokenError("service account token is not valid yet")
        private = claims[_PRIVATE]
        namespace, account = private["namespace"], private["serviceaccount"]
        await self._check("serviceaccounts", namespace, account)
        for kind, resource in _BOUND.items():
            if kind in private:
                await self._check(resource, namespace, private[kind])
        extra = {_CREDENTIAL: (f"JTI={claims['jti']}",)}
        return Verified(service_account(namespace, account["name"], account["uid"], extra), common)

    async def _legacy(self, token: str, claims: Object) -> UserInfo:
        namespace, name, uid, secret = (
            claims[_LEGACY + field]
            for field in ("namespace", "service-account.name", "service-account.uid", "secret.name")
        )
        found = await self._registry.get(Key("secrets", namespace, secret))
        stored = base64.b64decode((found.get("data") or {}).get("token", ""))
        if found["metadata"].get("deletionTimestamp") or not hmac.compare_digest(
            stored, token.encode()
        ):
            raise BadTokenError("service account token has been invalidated")
        await self._check("serviceaccounts", namespace, {"name": name, "uid": uid})
        return service_account(namespace, name, uid, {})

    async def _check(self, resource: str, namespace: str, claimed: Mapping[str, str]) -> None:
        """Refuse a token whose object is gone, going, or another of the same name."""
        found = await self._registry.get(Key(resource, namespace, claimed["name"]))
        meta = found["metadata"]
        if meta.get("uid") != claimed["uid"] or meta.get("deletionTimestamp"):
            raise BadTokenError("service account token has been invalidated")


def _common(meant: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    common = tuple(audience for audience in wanted if audience in meant)
    if not common:
        told = f"[{' '.join(meant)}] is invalid for the target audiences [{' '.join(wanted)}]"
        raise BadTokenError(f"token audiences {told}")
    return common


def _load(path: Path | None) -> SigningKey:
    return SigningKey.generate() if path is None else SigningKey.load(path.read_bytes())
