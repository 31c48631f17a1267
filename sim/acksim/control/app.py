"""The control API under `/_sim/`: what no cloud has, and a test needs.

It listens on a port of its own, asks for the token that lies in its world's folder, and answers
no web page but its own (control_guard).
"""

import json
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from acksim import VERSION
from acksim.account.billing.balances import OPENING_CASH, Balances, Terms, amount_of
from acksim.account.billing.closing import Closing
from acksim.account.billing.costs import Billing
from acksim.account.billing.prices import Currency, Model
from acksim.account.credentials import Credentials
from acksim.account.database import Database
from acksim.ack.cluster import KUBERNETES_VERSION, Cluster, ClusterError
from acksim.ack.clusters import ClusterService
from acksim.ack.kubeconfig import Kubeconfigs
from acksim.ack.plugins import Plugins
from acksim.ack.providers import providers_of
from acksim.ack.switching import EncryptionSwitch
from acksim.clock import Clock, ClockError, parse_duration
from acksim.control.bills import add_bills
from acksim.control.encryption import add_encryption
from acksim.control.guard import ControlGuard
from acksim.control.page import page
from acksim.control.ram import add_ram
from acksim.settings import DEFAULT_REGION, WorldSettings
from alibaba_edge.allowed_hosts import AllowedHosts
from alibaba_edge.errors import ApiError
from alibaba_edge.ports import ROOT_ACCOUNT_ID
from bounded_http.head import HeadAsGet
from bounded_http.limits import Limits
from kms_emulator.keys import Scope
from kms_emulator.operations.kms import Kms

LIMITS = Limits(body_bytes=64 * 1024)  # nothing here is asked for in more than a few words

_STATUS_OF_CODE = {
    "ErrorClusterNotFound": 404,
    "ErrorClusterExists": 409,
    "ErrorClusterState": 409,
    "ErrorClusterProviders": 409,
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things listen, for who reaches the control API by another host's name."""

    http_port: int
    https_port: int
    kubernetes: str
    kubernetes_private: str
    etcd: tuple[str, ...]
    ca: str


class NewAccount(BaseModel):
    """An account of one's own, so that tests do not meet each other."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": '{"name": "test"}'})

    name: str = Field(default="test", min_length=1, max_length=64)
    authorized: bool = Field(
        default=True, description="whether it has AliyunCSManagedSecurityRole from the first"
    )
    cash: str = Field(default=str(OPENING_CASH), max_length=32)
    model: Model = "classic"
    currency: Currency = "USD"


class NewCluster(BaseModel):
    """A cluster; with `key_id` (an id or an alias) its Secrets are sealed from the first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": '{"name": "shop", "key_id": "alias/acksim", "kms": "v2"}'},
    )

    name: str = Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    account_id: str = Field(default=ROOT_ACCOUNT_ID, pattern=r"^\d{16}$")
    region: str = Field(default=DEFAULT_REGION, pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$")
    key_id: str | None = Field(default=None, max_length=255)
    kms: Literal["v1", "v2"] = "v1"
    kubernetes_version: str = Field(
        default=KUBERNETES_VERSION, max_length=32, description="such as 1.28 or 1.32.0-aliyun.1"
    )


class KeyRotation(BaseModel):
    """A new version of a symmetric key, now; KMS has no such operation."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": '{"key_id": "alias/acksim"}'}
    )

    key_id: str = Field(min_length=1, max_length=255)
    account_id: str = Field(default=ROOT_ACCOUNT_ID, pattern=r"^\d{16}$")
    region: str = Field(default=DEFAULT_REGION, pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$")


class ClockMove(BaseModel):
    """`advance` a duration such as 8d, `freeze`, or `reset` to the wall clock."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": '{"advance": "8d"}'})

    advance: str | None = Field(default=None, max_length=64)
    freeze: bool = False
    reset: bool = False


def create_control(  # noqa: PLR0913 - the composition root names each room once
    settings: WorldSettings,
    *,
    token: str,
    clock: Clock,
    kms: Kms,
    closing: Closing,
    balances: Balances,
    credentials: Credentials,
    clusters: ClusterService,
    switch: EncryptionSwitch,
    plugins: Plugins,
    kubeconfigs: Kubeconfigs,
    billing: Billing,
    database: Database,
    addresses: Addresses,
) -> FastAPI:
    """The application of the control port."""
    app = FastAPI(title="acksim control API", version=VERSION, docs_url=None, redoc_url=None)
    hosts = AllowedHosts((*settings.hostnames, *settings.allowed_hosts))
    app.add_middleware(HeadAsGet)
    app.add_middleware(ControlGuard, hosts=hosts, token=token)
    app.exception_handler(ClusterError)(_cluster_error)
    app.exception_handler(ClockError)(_clock_error)
    app.exception_handler(HTTPException)(_http_error)
    app.exception_handler(ApiError)(_kms_error)
    app.exception_handler(RequestValidationError)(_invalid)
    _add_world(app, clock, closing, addresses)
    _add_accounts(app, credentials, balances)
    _add_keys(app, kms)
    _add_clusters(app, clusters, kubeconfigs)
    add_encryption(app, clusters, switch, plugins)
    add_bills(app, closing, balances, billing)
    add_ram(app, database, clock.now)
    return app


def _add_world(app: FastAPI, clock: Clock, closing: Closing, addresses: Addresses) -> None:
    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok"

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs(request: Request) -> str:
        return page(app.openapi(), str(request.base_url).rstrip("/"))

    @app.get("/_sim/addresses")
    async def show_addresses() -> dict[str, Any]:
        return asdict(addresses)

    @app.get("/_sim/clock")
    async def show_clock() -> dict[str, Any]:
        return {"now": clock.now().isoformat(), **asdict(clock.state())}

    @app.post("/_sim/clock")
    async def move_clock(move: ClockMove) -> dict[str, Any]:
        if move.reset:
            clock.reset()
        if move.freeze:
            clock.freeze()
        if move.advance is not None:
            clock.advance(parse_duration(move.advance))
        await closing.settle()  # before anyone changes what was kept on the days gone by
        return await show_clock()


def _add_accounts(app: FastAPI, credentials: Credentials, balances: Balances) -> None:
    @app.post("/_sim/accounts", status_code=201)
    async def new_account(account: NewAccount) -> dict[str, Any]:
        terms = Terms(account.model, account.currency, amount_of(account.cash))
        terms.check()
        root = await credentials.new_account(account.name, authorized=account.authorized)
        await balances.open(root.account_id, terms)
        return asdict(root)


def _add_keys(app: FastAPI, kms: Kms) -> None:
    @app.post("/_sim/kms/rotate")
    async def rotate_key(body: KeyRotation) -> dict[str, str]:
        key = await kms.rotation.rotate(Scope(body.account_id, body.region), body.key_id)
        return {"key_id": key.id, "primary_key_version": key.primary.id}

    @app.get("/_sim/kms/versions")
    async def list_versions(
        key_id: str = Query(default="alias/acksim", max_length=255),
        account_id: str = ROOT_ACCOUNT_ID,
        region: str = DEFAULT_REGION,
    ) -> dict[str, Any]:
        """The versions of any account's key, which signed calls tell to its account alone."""
        key = await kms.keys.find(Scope(account_id, region), key_id)
        return {"key_id": key.id, "versions": [version.id for version in key.versions]}


def _add_clusters(app: FastAPI, clusters: ClusterService, kubeconfigs: Kubeconfigs) -> None:
    @app.get("/_sim/clusters")
    async def list_clusters(account_id: str | None = None) -> list[dict[str, Any]]:
        return [_cluster_json(cluster) for cluster in await clusters.all(account_id)]

    @app.post("/_sim/clusters", status_code=201)
    async def create_cluster(body: NewCluster) -> dict[str, Any]:
        cluster = await clusters.create(
            body.account_id,
            body.name,
            region=body.region,
            key_id=body.key_id,
            kms_version=body.kms,
            kubernetes_version=body.kubernetes_version,
        )
        return _cluster_json(cluster)

    @app.get("/_sim/clusters/{cluster_id}")
    async def get_cluster(cluster_id: str) -> dict[str, Any]:
        return _cluster_json(await clusters.get(cluster_id))

    @app.delete("/_sim/clusters/{cluster_id}")
    async def delete_cluster(cluster_id: str) -> dict[str, Any]:
        await clusters.delete(cluster_id)
        return {"deleted": cluster_id}

    @app.post("/_sim/clusters/{cluster_id}/restart")
    async def restart_cluster(cluster_id: str) -> dict[str, Any]:
        return _cluster_json(await clusters.restart(cluster_id))

    @app.get("/_sim/clusters/{cluster_id}/kubeconfig", response_class=PlainTextResponse)
    async def get_kubeconfig(cluster_id: str, private: bool = False) -> str:
        return kubeconfigs.of_admin(await clusters.get(cluster_id), private=private)


def _cluster_json(cluster: Cluster) -> dict[str, Any]:
    return {
        "cluster_id": cluster.id,
        "account_id": cluster.account_id,
        "region": cluster.region,
        "name": cluster.name,
        "key_id": cluster.key_id,
        "kms": cluster.kms_version,
        "kubernetes_version": cluster.kubernetes_version,
        "state": cluster.state,
        "switch_stage": cluster.switch_stage,
        "target_key_id": cluster.target_key_id,
        "providers": [asdict(provider) for provider in providers_of(cluster)],
        "etcd_prefix": cluster.etcd_prefix,
        "path": cluster.path,
        "incarnation": cluster.incarnation,
        "created": cluster.created.isoformat(),
    }


def refusal(status: HTTPStatus, message: str) -> tuple[bytes, bytes]:
    """Say why a request never reached the control API; returns (content type, body)."""
    body = {"code": _code(status), "message": message}
    return b"application/json", bytes(JSONResponse(body).body)


def _code(status: HTTPStatus) -> str:
    """The name of a status as a code: MethodNotAllowed."""
    return status.phrase.replace(" ", "").replace("-", "")


async def _invalid(_request: Request, error: RequestValidationError) -> Response:
    """What is wrong and where, without what was sent: that may be text that UTF-8 cannot say."""
    faults = [{name: fault[name] for name in ("loc", "msg", "type")} for fault in error.errors()]
    body = json.dumps({"detail": faults})  # in ASCII
    return Response(body, status_code=422, media_type="application/json")


async def _http_error(_request: Request, error: HTTPException) -> JSONResponse:
    body = {"code": _code(HTTPStatus(error.status_code)), "message": error.detail}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


async def _cluster_error(_request: Request, error: ClusterError) -> JSONResponse:
    body = {"code": error.code, "message": error.message}
    return JSONResponse(body, status_code=_STATUS_OF_CODE.get(error.code, 400))


async def _kms_error(_request: Request, error: ApiError) -> JSONResponse:
    return JSONResponse({"code": error.code, "message": error.message}, status_code=400)


async def _clock_error(_request: Request, error: ClockError) -> JSONResponse:
    return JSONResponse({"code": "InvalidDuration", "message": str(error)}, status_code=400)
