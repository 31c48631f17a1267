"""The cluster's side of a world."""

from acksim.ack.directory import ClusterDirectory
from acksim.ack.pki import LocalAuthority
from acksim.clock import Clock
from acksim.data_dir.layout import Layout
from acksim.listeners import Listener
from acksim.settings import WorldSettings
from acksim.world.serving import end_requested, serving
from apiserver_shim.api.server import make_server
from apiserver_shim.app import ShimSettings
from apiserver_shim.app import create_app as create_apiserver
from apiserver_shim.storage.etcd import EtcdClient

# Upstream looks at its encryption configuration each minute; a switch here waits twice for that.
_RELOAD_SECONDS = 1.0


async def run_apiserver(settings: WorldSettings, kubernetes: Listener) -> None:
    """Serves every logical cluster until a signal or the end of the parent."""
    layout = Layout.of(settings.data_dir).make()
    files = LocalAuthority(layout.pki).server_files(settings.hostnames)
    etcd = EtcdClient(list(settings.etcd))
    try:
        app = create_apiserver(
            ShimSettings(
                auth=settings.auth,
                reload_seconds=_RELOAD_SECONDS,
                audit_log=layout.audit if settings.audited else None,
            ),
            etcd=etcd,
            source=ClusterDirectory(layout.clusters, authority=files.authority),
            now=Clock(layout.clock).now,
        )
        server = make_server(
            app,
            address=(kubernetes.host, kubernetes.port),
            certificate=(files.certificate, files.private_key),
            client_ca=files.authority,
            ready=lambda _port: None,
        )
        async with serving((server, kubernetes)):
            await end_requested()
    finally:
        await etcd.close()
