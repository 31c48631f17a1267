"""Credentials by URI: where a control plane's program finds the temporary keys of its role.

The answer is that of the ECS metadata service, which every official credentials library reads.
A path holds an unguessable token; it is handed to the one program that it was made for.
"""

import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kms_emulator.errors import ApiError
from sim.account.credentials import Credentials

_PATH = "/credentials/"


@dataclass(frozen=True, slots=True)
class Grant:
    """Which role of which account a token stands for."""

    account_id: str
    role_name: str
    session_name: str


class RoleCredentials:
    """The tokens given out by this process."""

    def __init__(self, credentials: Credentials, endpoint: str) -> None:
        self._credentials = credentials
        self._endpoint = endpoint
        self._grants: dict[str, Grant] = {}

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
        session = await self._credentials.assume_service_role(
            grant.account_id, grant.role_name, grant.session_name
        )
        return {
            "Code": "Success",
            "AccessKeyId": session.access_key_id,
            "AccessKeySecret": session.access_key_secret,
            "SecurityToken": session.security_token,
            "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


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
