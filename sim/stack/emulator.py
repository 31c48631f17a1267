"""Alibaba's side of a world."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI

from apiserver_shim.storage.etcd import EtcdClient
from bounded_http.server import BoundedServer
from kms_emulator.app import KmsSettings, open_store
from kms_emulator.app import create_app as create_kms
from kms_emulator.gateway.rendering import refusal
from kms_emulator.ports import (
    ROOT_ACCESS_KEY_ID,
    ROOT_ACCESS_KEY_SECRET,
    ROOT_ACCOUNT_ID,
)
from kms_emulator.seeding import Seed, plant, read_seed
from kms_emulator.store import KeyStore
from sim import control_token
from sim.account.actiontrail.lookup import Trail
from sim.account.actiontrail.product import actiontrail_product
from sim.account.billing.balances import Balances
from sim.account.billing.closing import Closing
from sim.account.billing.costs import Billing
from sim.account.billing.records import Records
from sim.account.billing.standing import AccountStanding
from sim.account.bss.operations import bss_product
from sim.account.credentials import Credentials, RootKey
from sim.account.database import Database
from sim.account.instance_metadata import (
    InstanceMetadata,
    ensure_worker_role,
    metadata_routes,
)
from sim.account.ledger import Ledger
from sim.account.metadata import RoleCredentials, credentials_route
from sim.account.ram.authorizer import RamAuthorizer
from sim.account.ram.generations import Generations
from sim.account.ram.operations import ram_product
from sim.account.ram.ram import ram_of
from sim.account.seals import Seals
from sim.account.sts.product import sts_product
from sim.account.sts.sessions import Sessions
from sim.ack.cs import cs_product
from sim.ack.default_cluster import ensure_default_cluster
from sim.ack.kubeconfig import ApiServerAddress
from sim.ack.pki import LocalAuthority
from sim.clock import Clock
from sim.control import LIMITS as CONTROL_LIMITS
from sim.control import Addresses, create_control
from sim.control import refusal as control_refusal
from sim.kms import Kms
from sim.layout import Layout
from sim.listeners import Listener
from sim.serving import end_requested, serving
from sim.settings import DEFAULT_REGION, WorldSettings
from sim.stack.control_plane import Surroundings, control_plane

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
