"""Alibaba's side of a world."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI

from acksim.account.actiontrail.lookup import Trail
from acksim.account.actiontrail.product import actiontrail_product
from acksim.account.billing.balances import Balances
from acksim.account.billing.closing import Closing
from acksim.account.billing.costs import Billing
from acksim.account.billing.records import Records
from acksim.account.billing.standing import AccountStanding
from acksim.account.bss.operations import bss_product
from acksim.account.credentials import Credentials, RootKey
from acksim.account.database import Database
from acksim.account.instance_metadata import InstanceMetadata, ensure_worker_role, metadata_routes
from acksim.account.ledger import Ledger
from acksim.account.metadata import RoleCredentials, credentials_route
from acksim.account.ram.authorizer import RamAuthorizer
from acksim.account.ram.generations import Generations
from acksim.account.ram.operations import ram_product
from acksim.account.ram.ram import ram_of
from acksim.account.seals import Seals
from acksim.account.sts.product import sts_product
from acksim.account.sts.sessions import Sessions
from acksim.ack.cs import cs_product
from acksim.ack.default_cluster import ensure_default_cluster
from acksim.ack.kubeconfig import ApiServerAddress
from acksim.ack.pki import LocalAuthority
from acksim.clients.kms import Kms
from acksim.clock import Clock
from acksim.control.app import LIMITS as CONTROL_LIMITS
from acksim.control.app import Addresses, create_control
from acksim.control.app import refusal as control_refusal
from acksim.data_dir import control_token
from acksim.data_dir.layout import Layout
from acksim.listeners import Listener
from acksim.settings import DEFAULT_REGION, WorldSettings
from acksim.world.roles.control_plane import Surroundings, control_plane
from acksim.world.serving import end_requested, serving
from alibaba_edge.gateway.rendering import refusal
from alibaba_edge.ports import ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET, ROOT_ACCOUNT_ID
from apiserver_shim.storage.etcd import EtcdClient
from bounded_http.server import BoundedServer
from kms_emulator.app import KmsSettings, open_store
from kms_emulator.app import create_app as create_kms
from kms_emulator.seeding import Seed, plant, read_seed
from kms_emulator.store import KeyStore

ROOT = RootKey(ROOT_ACCOUNT_ID, ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET)


@dataclass(frozen=True, slots=True)
class EmulatorListeners:
    """The sockets of Alibaba's side."""

    http: Listener
    https: Listener
    control: Listener

    @property
    def endpoint(self) -> str:
        """Where processes of this machine reach the APIs."""
        return f"http://127.0.0.1:{self.http.port}"


async def run_emulator(
    settings: WorldSettings, listeners: EmulatorListeners, address: ApiServerAddress
) -> None:
    """Serves until a signal or the end of the parent."""
    layout = Layout.of(settings.data_dir).make()
    clock = Clock(layout.clock)
    authority = LocalAuthority(layout.pki)
    async with contextlib.AsyncExitStack() as stack:
        database = Database(settings.database or layout.database)
        stack.callback(database.close)
        generations = Generations(database)
        credentials = Credentials(database, generations, clock.now)
        await credentials.ensure_account(ROOT, "root")
        ram = ram_of(database, generations, clock.now)
        store = open_store(settings.database or layout.kms)
        if settings.seed is not None:
            await _plant(read_seed(settings.seed), store, credentials, clock.now())
        balances = Balances(database, clock.now)
        seals = await Seals.of(database)
        sessions = Sessions(database, clock.now)
        roles = RoleCredentials(sessions, listeners.endpoint)
        await ensure_worker_role(ram, ROOT_ACCOUNT_ID)
        instance = InstanceMetadata(
            ROOT_ACCOUNT_ID,
            DEFAULT_REGION,
            roles=ram.roles,
            sessions=sessions,
            seals=seals,
            now=clock.now,
        )
        etcd = EtcdClient(list(settings.etcd))
        stack.push_async_callback(etcd.close)
        plane = control_plane(
            Surroundings(
                layout=layout,
                endpoint=listeners.endpoint,
                authority=authority,
                address=address,
                database=database,
                roles=ram.roles,
                credentials=roles,
                etcd=etcd,
                now=clock.now,
            )
        )
        authorizer = RamAuthorizer(database, generations)
        alibaba = create_kms(
            KmsSettings(
                auth=settings.auth,
                default_region=DEFAULT_REGION,
                limited=settings.limited,
                allowed_hosts=(*settings.hostnames, *settings.allowed_hosts),
            ),
            store=store,
            identify=credentials,
            authorizer=authorizer,
            diagnose=authorizer.diagnose,
            call_log=Ledger(database, cluster_of=roles.cluster_of),
            standing=AccountStanding(balances, clock.now),
            products=(
                ram_product(ram),
                sts_product(ram.roles, sessions),
                actiontrail_product(Trail(database), seals),
                bss_product(balances, Records(database)),
                cs_product(plane.service),
            ),
            now=clock.now,
        )
        # Ahead of the gateway, which takes every other path.
        alibaba.router.routes[:0] = [
            credentials_route(roles),
            *metadata_routes(instance, settings.hostnames),
        ]
        await stack.enter_async_context(_alibaba_apis(alibaba, settings, listeners, authority))
        await plane.start(stack)
        await ensure_default_cluster(plane.clusters, ROOT, Kms.of_root(listeners.endpoint))
        closing = Closing(database, store, balances, clock.now)
        await closing.settle()
        meter = asyncio.create_task(closing.settle_regularly())
        stack.callback(meter.cancel)
        control = create_control(
            settings,
            token=control_token.ensure(layout.token),
            clock=clock,
            kms=alibaba.kms,
            closing=closing,
            balances=balances,
            credentials=credentials,
            clusters=plane.clusters,
            switch=plane.switch,
            plugins=plane.plugins,
            kubeconfigs=plane.service.kubeconfigs,
            billing=Billing(database),
            database=database,
            addresses=Addresses(
                http_port=listeners.http.port,
                https_port=listeners.https.port,
                kubernetes=address.public,
                kubernetes_private=address.private,
                etcd=settings.etcd,
                ca=authority.certificate_pem.decode(),
            ),
        )
        # The control port answers last: who reaches it finds the world complete.
        server = BoundedServer(control, refusal=control_refusal, limits=CONTROL_LIMITS)
        async with serving((server, listeners.control)):
            await end_requested()


async def _plant(seed: Seed, store: KeyStore, credentials: Credentials, now: datetime) -> None:
    """Before the first port answers, so that whoever is answered finds it all."""
    for account in seed.accounts:
        for key in account.access_keys:
            await credentials.ensure_account(RootKey(account.id, key.id, key.secret), account.name)
    await plant(seed, store, now=now)


def _alibaba_apis(
    app: FastAPI, settings: WorldSettings, listeners: EmulatorListeners, authority: LocalAuthority
) -> contextlib.AbstractAsyncContextManager[None]:
    files = authority.server_files(settings.hostnames)
    plain = BoundedServer(app, refusal=refusal)
    # without a lifespan: the plain server has that of their one application
    secure = BoundedServer(
        app,
        refusal=refusal,
        certificate=(files.certificate, files.private_key),
        lifespan=False,
    )
    return serving((plain, listeners.http), (secure, listeners.https))
