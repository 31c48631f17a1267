"""A real API server on a real etcd, behind real TLS, with several logical clusters in it."""

import os
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from acksim.listeners import free_port
from acksim.world import etcd_server
from apiserver_shim.api.server import make_server, run
from apiserver_shim.app import ShimSettings, create_app
from apiserver_shim.clusters import ClusterSpec, StaticToken
from apiserver_shim.storage.etcd import EtcdClient
from tests.patience import PATIENCE

ADMIN = StaticToken("admin-token", "admin", "admin-uid", ("system:masters",))
NOBODY = StaticToken("nobody-token", "nobody")


@pytest.fixture(scope="session")
def etcd_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real etcd, thrown away at the end."""
    binary = etcd_server.find().program
    home = tmp_path_factory.mktemp("etcd")
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [
        binary,
        f"--data-dir={home}/data",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=error",
    ]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until(lambda: _healthy(client), "etcd")
        yield client
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _wait_until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come up")
        time.sleep(0.05)


class Authority:
    """A certificate authority for one test run."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acksim-test-ca")])
        self.certificate = self._sign(self._name, self._key, authority=True)
        self.path = home / "ca.crt"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def server(self) -> tuple[Path, Path]:
        return self._issue("server", [(NameOID.COMMON_NAME, "kube-apiserver")])

    def client(self, user: str, *, groups: Sequence[str], cluster: str | None) -> tuple[Path, Path]:
        subject = [(NameOID.COMMON_NAME, user)]
        subject += [(NameOID.ORGANIZATION_NAME, group) for group in groups]
        if cluster is not None:
            subject.append((NameOID.ORGANIZATIONAL_UNIT_NAME, cluster))
        return self._issue(f"{user}-{cluster}", subject)

    def _issue(self, stem: str, subject: Sequence[tuple[Any, str]]) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
        chain, secret = self._home / f"{stem}.crt", self._home / f"{stem}.key"
        signed = self._sign(name, key, authority=False)
        chain.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return chain, secret

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        issuer = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=authority,
            crl_sign=authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        hosts = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
            .sign(self._key, hashes.SHA256())
        )


@dataclass
class Source:
    """The clusters there are; tests add, change and remove them."""

    specs: dict[str, ClusterSpec] = field(default_factory=dict)

    def find(self, cluster_id: str) -> ClusterSpec | None:
        return self.specs.get(cluster_id)


@dataclass
class Shim:
    """A running server and how to reach it."""

    url: str
    authority: Authority
    source: Source
    home: Path
    counter: int = 0

    def new_cluster(self, **changes: Any) -> "ClusterDoor":
        self.counter += 1
        name = f"c{self.counter}"
        given: dict[str, Any] = {"etcd_prefix": f"/test/{os.urandom(4).hex()}", **changes}
        tokens = given.pop("tokens", (ADMIN, NOBODY))
        self.source.specs[name] = ClusterSpec(id=name, tokens=tokens, **given)
        return ClusterDoor(self, name, f"{self.url}/clusters/{name}")


@dataclass
class ClusterDoor:
    """One logical cluster as its clients see it."""

    shim: Shim
    id: str
    url: str

    def client(self, token: str | None = ADMIN.token) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        context = ssl.create_default_context(cafile=str(self.shim.authority.path))
        return httpx.Client(
            base_url=self.url, headers=headers, verify=context, trust_env=False, timeout=PATIENCE
        )

    def kubeconfig(self, *, token: str | None = ADMIN.token) -> Path:
        user: dict[str, Any] = {"token": token}
        if token is None:
            chain, key = self.shim.authority.client(
                "cert-admin", groups=["system:masters"], cluster=self.id
            )
            user = {"client-certificate": str(chain), "client-key": str(key)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [
                {
                    "name": "it",
                    "cluster": {
                        "server": self.url,
                        "certificate-authority": str(self.shim.authority.path),
                    },
                }
            ],
            "users": [{"name": "it", "user": user}],
            "contexts": [
                {"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "default"}}
            ],
        }
        path = self.shim.home / f"{self.id}-{(token or 'certificate')[-40:]}.kubeconfig"
        path.write_text(yaml.safe_dump(document))
        return path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def shim(
    etcd_url: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shim]:
    """The server, in a thread with a loop of its own, as its clients block."""
    with running_shim([etcd_url], authority, tmp_path_factory.mktemp("shim")) as shim:
        yield shim


class running_shim:  # noqa: N801 - used as a context manager only
    """Runs a server while its context lasts."""

    def __init__(
        self,
        etcd: Sequence[str],
        authority: Authority,
        home: Path,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._etcd = etcd
        self._authority = authority
        self._home = home
        self._now = now
        self._source = Source()
        self._ready = threading.Event()
        self._stop: Callable[[], None] = lambda: None
        self._port = 0
        self._thread = threading.Thread(target=lambda: run(self._run()))

    def __enter__(self) -> Shim:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return Shim(f"https://127.0.0.1:{self._port}", self._authority, self._source, self._home)

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        etcd = EtcdClient(self._etcd)
        app = create_app(
            ShimSettings(reload_seconds=0.5, audit_log=self._home / "audit.log"),
            etcd=etcd,
            source=self._source,
            now=self._now,
        )
        server = make_server(
            app,
            address=("127.0.0.1", 0),
            certificate=self._authority.server(),
            client_ca=self._authority.path,
            ready=self._started,
        )

        def stop() -> None:
            server.should_exit = True

        self._stop = stop
        await server.serve()
        await etcd.close()

    def _started(self, port: int) -> None:
        self._port = port
        self._ready.set()


@pytest.fixture
def cluster(shim: Shim) -> ClusterDoor:
    """A new logical cluster, for one test."""
    return shim.new_cluster()


@pytest.fixture
def api(cluster: ClusterDoor) -> Iterator[httpx.Client]:
    """The administrator's connection to it."""
    with cluster.client() as client:
        yield client


Body = Mapping[str, Any]
