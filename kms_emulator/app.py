"""The emulator as one ASGI application: what a request meets, in order, on this page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from alibaba_edge.allowed_hosts import ALIBABA_CLOUD, AllowedHosts, Refusal
from alibaba_edge.errors import ApiError
from alibaba_edge.gateway.authentication import Authenticator, AuthMode
from alibaba_edge.gateway.authorization import Permissions
from alibaba_edge.gateway.metrics import CONTENT_TYPE, CallMetrics
from alibaba_edge.gateway.pipeline import Gateway
from alibaba_edge.gateway.product import Product
from alibaba_edge.gateway.rendering import failure
from alibaba_edge.ports import (
    Authorizer,
    CallLog,
    Clock,
    Diagnose,
    GoodStanding,
    Identify,
    Standing,
)
from alibaba_edge.request import headers_of
from alibaba_edge.sql.engine import open_engine
from kms_emulator import openapi
from kms_emulator.operations import kms_of, kms_product
from kms_emulator.operations.kms import Kms
from kms_emulator.service.keys import Keys
from kms_emulator.store import KeyStore
from kms_emulator.store_cache import CachingKeyStore
from kms_emulator.store_sql import SqlKeyStore

logger = logging.getLogger(__name__)

_CATCH_UP_EVERY_SECONDS = 1.0
_READING = ["GET", "HEAD"]


@dataclass(frozen=True, slots=True)
class KmsSettings:
    """`auth`: see gateway/authentication. `default_region`: of a call that names none.

    `limited`: whether accounts have the cloud's quotas of keys, aliases and calls a second.
    `allowed_hosts`: further names by which clients reach it.
    """

    auth: AuthMode = "strict"
    default_region: str = "cn-hangzhou"
    limited: bool = False
    allowed_hosts: tuple[str, ...] = ()


def create_app(  # noqa: PLR0913 - the composition root names every port once
    settings: KmsSettings,
    *,
    store: KeyStore,
    identify: Identify,
    authorizer: Authorizer,
    call_log: CallLog,
    now: Clock,
    standing: Standing | None = None,
    diagnose: Diagnose | None = None,
    products: Iterable[Product] = (),
) -> Emulator:
    """KMS, and any further `products`, behind one gateway. The app closes `store` at its end."""
    standing = standing or GoodStanding()
    kms = kms_of(store, now=now, limited=settings.limited, standing=standing)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        catching_up = asyncio.create_task(_catch_up_regularly(kms.keys))
        yield
        catching_up.cancel()
        with suppress(asyncio.CancelledError):
            await catching_up
        await store.close()

    gateway = Gateway(
        (kms_product(kms, limited=settings.limited), *products),
        # Who calls: signature, age, nonce, token.
        authenticator=Authenticator(identify, mode=settings.auth, now=now),
        # Have they paid.
        standing=standing,
        # May they: asked per resource, once the operation has found it.
        permissions=Permissions(authorizer, mode=settings.auth, diagnose=diagnose),
        # Written once per call, after the operation and before the answer.
        call_log=call_log,
        now=now,
        default_region=settings.default_region,
    )
    app = Emulator(
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.gateway, app.kms = gateway, kms
    app.hosts = AllowedHosts((ALIBABA_CLOUD, *settings.allowed_hosts))
    # outside the gateway: nobody signs a probe
    app.add_api_route("/healthz", healthz, methods=_READING)
    app.add_api_route("/metrics", partial(_metrics, gateway.metrics, kms.keys), methods=_READING)
    app.add_api_route("/openapi.json", _openapi, methods=_READING)
    app.add_api_route("/docs", _docs, methods=_READING, response_class=HTMLResponse)
    # Everything else, other methods on these pages too, gets the API's own error.
    app.mount("/", gateway)
    app.router.default = gateway  # paths that no mount matches, such as *
    return app


class Emulator(FastAPI):
    """A signed call goes to `/`, as all but all of them do, and meets no router on its way.

    `kms` is the domain itself, for what no signed call can ask for (`kms.rotation.rotate`).
    """

    gateway: Gateway
    kms: Kms
    hosts: AllowedHosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif refusal := self.hosts.refusal(scope):
            await _refuse(refusal, scope, send)
        elif scope["path"] == "/":
            await self.gateway(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


async def _refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    """In the shape of every other error, so that an SDK shows its reader the message."""
    request_id = str(uuid4())
    error = ApiError(refusal.code, refusal.message)
    host = headers_of(scope).get("host", "")
    answer = failure(error, status=refusal.status, host=host, request_id=request_id, xml=False)
    await answer.send(send, request_id)


async def healthz() -> dict[str, str]:
    return {"status": "ok"}


def _openapi(request: Request) -> dict[str, Any]:
    return openapi.description(_endpoint(request))


def _docs(request: Request) -> str:
    return openapi.page(_endpoint(request))


def _endpoint(request: Request) -> str:
    return str(request.base_url).rstrip("/")


async def _metrics(metrics: CallMetrics, keys: Keys) -> Response:
    return Response(metrics.text(await keys.by_state()), media_type=CONTENT_TYPE)


def open_store(database: str | Path) -> KeyStore:
    """A durable store: PostgreSQL by its URL, or one SQLite file that no other process may write.

    What other processes change in PostgreSQL counts from the next request on.
    """
    engine = open_engine(database)
    store = SqlKeyStore(engine)
    return CachingKeyStore(store) if engine.dialect.name == "sqlite" else store


async def _catch_up_regularly(keys: Keys) -> None:
    """Keys are erased, rotate and lose imported material on time even if nobody asks for them."""
    while True:
        try:
            await keys.catch_up()
        except Exception:
            logger.exception("could not catch up with the clock; trying again")
        await asyncio.sleep(_CATCH_UP_EVERY_SECONDS)
