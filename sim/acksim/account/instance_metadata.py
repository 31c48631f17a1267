"""The ECS metadata service, as the one instance sees it that this machine passes for.

It hands temporary credentials of the instance's role to whoever asks, as the real one does. So it
answers only callers on this machine who name it as a program would: a web page that reached it by
a name of its own, or through a proxy, is refused.
"""

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from acksim.account.ram.errors import EntityAlreadyExistsError
from acksim.account.ram.ram import Ram
from acksim.account.ram.roles import Role, Roles
from acksim.account.seals import Seals
from acksim.account.sts.sessions import RoleSession, Sessions

ECS = "ecs.aliyuncs.com"
ADDRESS = "100.100.100.200"
INSTANCE_ID = "i-acksim00000000000000"
WORKER_ROLE = "KubernetesWorkerRole-acksim"

_LOCAL_NAMES = frozenset({ADDRESS, "127.0.0.1", "localhost", "[::1]"})
_TOKEN_HEADER = "x-aliyun-ecs-metadata-token"  # noqa: S105 - a header's name
_TTL_HEADER = "x-aliyun-ecs-metadata-token-ttl-seconds"
_LONGEST_TTL = 21600
_TOKEN = "instance-metadata"  # noqa: S105 - what a token is for
_RENEWED_BEFORE_ITS_END = timedelta(minutes=30)
_CREDENTIALS = "ram/security-credentials"
_POLICIES = ("AliyunKMSCryptoUserAccess", "AliyunKMSReadOnlyAccess")
_TRUST = (
    '{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow",'
    f'"Principal":{{"Service":["{ECS}"]}}}}],"Version":"1"}}'
)


async def ensure_worker_role(ram: Ram, account_id: str) -> None:
    """The role of a worker node that may use keys, unless there is one of its name."""
    if await ram.roles.find(account_id, WORKER_ROLE) is not None:
        return
    role = Role(account_id, "", WORKER_ROLE, _TRUST, "Worker nodes use this role to use keys.")
    with suppress(EntityAlreadyExistsError):  # another emulator on the same database was faster
        await ram.roles.create(role)
        for policy in _POLICIES:
            await ram.attachments.attach(account_id, ("Role", WORKER_ROLE), ("System", policy))


class InstanceMetadata:
    """What the instance knows: its place, its account, and one role that trusts ECS."""

    def __init__(
        self,
        account_id: str,
        region: str,
        *,
        roles: Roles,
        sessions: Sessions,
        seals: Seals,
        now: Callable[[], datetime],
    ) -> None:
        self._account_id = account_id
        self._facts = {
            "instance-id": INSTANCE_ID,
            "owner-account-id": account_id,
            "region-id": region,
            "zone-id": f"{region}-a",
        }
        self._roles = roles
        self._sessions = sessions
        self._seals = seals
        self._now = now
        self._held: tuple[str, RoleSession] | None = None

    def token(self, ttl: str) -> str | None:
        """A token for so many seconds, or None for a time that no token may have."""
        if not (ttl.isascii() and ttl.isdigit() and len(ttl) < 6):
            return None
        if not 1 <= int(ttl) <= _LONGEST_TTL:
            return None
        end = self._now() + timedelta(seconds=int(ttl))
        return self._seals.seal(_TOKEN, struct.pack(">d", end.timestamp()))

    def accepts(self, token: str) -> bool:
        content = self._seals.open(_TOKEN, token)
        if content is None:
            return False
        (end,) = struct.unpack(">d", content)
        return bool(self._now().timestamp() < end)

    async def read(self, item: str) -> str | None:
        """One item of `/latest/meta-data/`; of a folder, the names in it. None: no such item."""
        if item in self._facts:
            return self._facts[item]
        role = await self._role()
        if role is None:
            return "\n".join(sorted(self._facts)) if item == "" else None
        if item == f"{_CREDENTIALS}/{role}":
            return await self._credentials(role)
        folders = {
            "": "\n".join(sorted((*self._facts, "ram/"))),
            "ram": "security-credentials/",
            _CREDENTIALS: role,
        }
        return folders.get(item)

    async def _role(self) -> str | None:
        """The first of the account's roles, by name, that trusts ECS."""
        roles = await self._roles.all(self._account_id)
        return next((role.name for role in roles if role.trusts_service(ECS)), None)

    async def _credentials(self, role: str) -> str:
        session = await self._session(role)
        document = {
            "AccessKeyId": session.access_key_id,
            "AccessKeySecret": session.access_key_secret,
            "Expiration": _utc(session.expiration),
            "SecurityToken": session.security_token,
            "LastUpdated": _utc(session.created),
            "Code": "Success",
        }
        return orjson.dumps(document).decode()

    async def _session(self, role: str) -> RoleSession:
        """The same until it is near its end, whichever way the clock was moved."""
        now = self._now()
        if self._held is not None:
            name, session = self._held
            fresh = session.created <= now < session.expiration - _RENEWED_BEFORE_ITS_END
            if name == role and fresh:
                return session
        session = await self._sessions.begin_for_service(
            self._account_id, role, INSTANCE_ID, service=ECS
        )
        self._held = role, session
        return session


def metadata_routes(metadata: InstanceMetadata, hostnames: Sequence[str]) -> list[Route]:
    """`/latest/…` on the Alibaba Cloud port. `hostnames`: further names of this machine."""
    known = _LOCAL_NAMES | {name.lower() for name in hostnames}

    async def token(request: Request) -> Response:
        if not _is_local(request, known):
            return _refused(403)
        made = metadata.token(request.headers.get(_TTL_HEADER, ""))
        return _refused(400) if made is None else PlainTextResponse(made)

    async def item(request: Request) -> Response:
        if not _is_local(request, known):
            return _refused(403)
        given = request.headers.get(_TOKEN_HEADER)
        if given is not None and not metadata.accepts(given):
            return _refused(401)
        found = await metadata.read(request.path_params.get("item", "").strip("/"))
        return _refused(404) if found is None else PlainTextResponse(found)

    return [
        Route("/latest/api/token", token, methods=["PUT"]),
        Route("/latest/meta-data", item, methods=["GET"]),
        Route("/latest/meta-data/{item:path}", item, methods=["GET"]),
    ]


_REASONS = {
    400: f"the header {_TTL_HEADER} has to be between 1 and {_LONGEST_TTL}",
    401: "the token is invalid or has expired: PUT /latest/api/token for a new one",
    403: "metadata is for programs on this machine that ask for it directly",
    404: "no such item",
}


def _refused(status: int) -> Response:
    return PlainTextResponse(_REASONS[status], status)


def _is_local(request: Request, known: frozenset[str]) -> bool:
    headers = request.headers
    if "x-forwarded-for" in headers or "origin" in headers:
        return False
    host = headers.get("host", "").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name in known and request.client is not None and _is_own(request.client.host)


def _is_own(address: str) -> bool:
    """Of the loopback interface, which may have the service's own address as well."""
    try:
        return address == ADDRESS or ip_address(address).is_loopback
    except ValueError:
        return False


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
