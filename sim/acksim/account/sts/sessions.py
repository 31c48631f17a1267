"""Role sessions: temporary credentials, which end by the simulated clock and not before."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from acksim.account.database import Database
from acksim.account.ram.errors import RoleNotTrustingError
from acksim.account.ram.roles import CONTAINER_SERVICE, ROLES, Role
from acksim.account.tables import sts_sessions

SERVICE_SESSION = timedelta(hours=1)
_KEPT_AFTER_ITS_END = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RoleSession:
    """Temporary credentials of an assumed role."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    created: datetime
    expiration: datetime


@dataclass(frozen=True, slots=True)
class NewSession:
    """`policy`, a document, narrows what the role may."""

    name: str
    lifetime: timedelta
    policy: str | None = None
    source_identity: str | None = None


class Sessions:
    """The sessions of every role."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def begin(self, role: Role, new: NewSession) -> RoleSession:
        """Whoever asks has been asked whether it may."""
        return await self._database.run(lambda connection: self._begin(connection, role, new))

    async def begin_for_service(
        self,
        account_id: str,
        role_name: str,
        session_name: str,
        *,
        service: str = CONTAINER_SERVICE,
    ) -> RoleSession:
        """For a service of the cloud, which the role has to trust.

        Raises RoleNotExistError, RoleNotTrustingError.
        """

        def work(connection: Connection) -> RoleSession:
            role = ROLES.get(connection, account_id, role_name)
            if not role.trusts_service(service):
                raise RoleNotTrustingError(role.arn)
            return self._begin(connection, role, NewSession(session_name, SERVICE_SESSION))

        return await self._database.run(work)

    async def source_identity(self, access_key_id: str) -> str | None:
        query = select(sts_sessions.c.source_identity).where(
            sts_sessions.c.access_key_id == access_key_id
        )
        return await self._database.run(lambda connection: connection.scalar(query))

    def _begin(self, connection: Connection, role: Role, new: NewSession) -> RoleSession:
        created = self._now()
        session = RoleSession(
            "STS." + secrets.token_hex(12),
            secrets.token_hex(20),
            secrets.token_urlsafe(96),
            created,
            created + new.lifetime,
        )
        gone = (created - _KEPT_AFTER_ITS_END).timestamp()
        connection.execute(delete(sts_sessions).where(sts_sessions.c.expires < gone))
        connection.execute(
            sts_sessions.insert().values(
                access_key_id=session.access_key_id,
                account_id=role.account_id,
                secret=session.access_key_secret,
                security_token=session.security_token,
                role_name=role.name,
                role_id=role.id,
                session_name=new.name,
                created=created.timestamp(),
                expires=session.expiration.timestamp(),
                policy=new.policy,
                source_identity=new.source_identity,
            )
        )
        return session
