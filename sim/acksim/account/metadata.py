"""Credentials by URI: where a control plane's program finds the temporary keys of its role.

The answer is that of the ECS metadata service, which every official credentials library reads.
A path holds an unguessable token; it is handed to the one program that it was made for.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from acksim.account.sts.sessions import Sessions
from alibaba_edge.errors import ApiError

_PATH = "/credentials/"
_REMEMBERED_KEYS = 100_000


@dataclass(frozen=True, slots=True)
class Grant:
    """Which role of which account a token stands for, and for which cluster it is used."""

    account_id: str
    role_name: str
    session_name: str
    cluster_id: str = ""


class RoleCredentials:
    """The tokens given out by this process."""

    def __init__(self, sessions: Sessions, endpoint: str) -> None:
        self._sessions = sessions
        self._endpoint = endpoint
        self._grants: dict[str, Grant] = {}
        self._issued = Issued()

    def cluster_of(self, access_key_id: str) -> str:
        """The cluster that a temporary access key was issued for; empty if for none."""
        return self._issued.cluster_of(access_key_id)

    def uri(self, grant: Grant) -> str:
        """A URI that yields fresh credentials of the role each time it is read."""
        token = secrets.token_urlsafe(24)
        self._grants[token] = grant
        return f"{self._endpoint}{_PATH}{token}"

    def revoke(self, uri: str) -> None:
        self._grants.pop(uri.rpartition("/")[2], None)

    async def read(self, token: str) -> dict[str, str] | None:
        """The JSON document, or None for a token that stands for nothing.

        Raises RoleNotExistError, RoleNotTrustingError.
        """
        grant = self._grants.get(token)
        if grant is None:
            return None
        session = await self._sessions.begin_for_service(
            grant.account_id, grant.role_name, grant.session_name
        )
        self._issued.add(session.access_key_id, grant.cluster_id)
        return {
            "Code": "Success",
            "AccessKeyId": session.access_key_id,
            "AccessKeySecret": session.access_key_secret,
            "SecurityToken": session.security_token,
            "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class Issued:
    """Which cluster's plugin calls with which temporary access key: sessions all look alike.

    Only this process's plugins hold such keys, and they ask for new ones when it starts anew.
    """

    def __init__(self) -> None:
        self._clusters: OrderedDict[str, str] = OrderedDict()

    def add(self, access_key_id: str, cluster_id: str) -> None:
        if cluster_id:
            self._clusters[access_key_id] = cluster_id
        while len(self._clusters) > _REMEMBERED_KEYS:
            self._clusters.popitem(last=False)

    def cluster_of(self, access_key_id: str) -> str:
        return self._clusters.get(access_key_id, "")


def credentials_route(roles: RoleCredentials) -> Route:
    """`GET /credentials/<token>` on the Alibaba Cloud port."""

    async def credentials(request: Request) -> JSONResponse:
        try:
            found = await roles.read(request.path_params["token"])
        except ApiError as error:
            status = 404 if error.code == "EntityNotExist.Role" else 403
            return JSONResponse({"Code": error.code, "Message": error.message}, status)
        if found is None:
            return JSONResponse({"Code": "EntityNotExist.Role"}, status_code=404)
        return JSONResponse(found)

    return Route(_PATH + "{token}", credentials, methods=["GET"])
