"""A user's session with an etcd that asks for passwords: its token, fetched again when refused."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
import grpc.aio

from apiserver_shim.encryption.single_flight import SingleFlight
from apiserver_shim.storage.etcd_pb2 import AuthenticateRequest, AuthenticateResponse

T = TypeVar("T")

Metadata = tuple[tuple[str, str], ...]
Authenticate = Callable[[AuthenticateRequest], Awaitable[AuthenticateResponse]]

# etcd's words for a token that has expired, that a restart forgot, or that older rights were in.
_REFUSALS = (
    "etcdserver: invalid auth token",
    "etcdserver: revision of auth store is old",
    "etcdserver: user name is empty",
)


@dataclass(frozen=True, slots=True)
class EtcdUser:
    """A name and password that etcd knows."""

    name: str
    password: str = field(repr=False)


class Session:
    """Adds a token to calls. A refused call was not applied, so it may be made once more."""

    def __init__(self, user: EtcdUser | None) -> None:
        self._user = user
        self._fetching = SingleFlight[str, None]()
        self.metadata: Metadata = ()
        self.needed = user is not None

    async def call(
        self, authenticate: Authenticate, attempt: Callable[[Metadata], Awaitable[T]]
    ) -> T:
        """Make a call with the token; raises AioRpcError."""
        if self._user is None:
            return await attempt(())
        if not self.metadata:
            await self._fetch(self._user, authenticate)
        used = self.metadata
        try:
            return await attempt(used)
        except grpc.aio.AioRpcError as error:
            if not (error.details() or "").startswith(_REFUSALS):
                raise
        if self.metadata is used:
            await self._fetch(self._user, authenticate)
        return await attempt(self.metadata)

    async def _fetch(self, user: EtcdUser, authenticate: Authenticate) -> None:
        async def fetch() -> None:
            request = AuthenticateRequest(name=user.name, password=user.password)
            self.metadata = (("token", (await authenticate(request)).token),)

        await self._fetching.run("token", fetch)
