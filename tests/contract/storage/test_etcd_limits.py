"""An etcd that is full, compacted, guarded by passwords and TLS, or younger than it was."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apiserver_shim.__main__ import build_parser, etcd_client
from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import (
    CompactedError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
    TooLargeError,
)
from apiserver_shim.storage.compactor import Compactor
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.etcd_auth import EtcdUser
from apiserver_shim.storage.etcd_member import EtcdTls
from apiserver_shim.storage.store import Key, Store
from tests.contract.storage.conftest import EtcdProcess
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.storage.conftest import Until

MakeSecret = Callable[..., dict[str, Any]]

APP1 = Key("secrets", "default", "app1")


def plain_store(etcd: EtcdClient) -> Store:
    return Store(etcd, prefix="/registry", transformers=TransformerSet({}))


async def fill(store: Store, secret: MakeSecret) -> None:
    for number in range(64):
        name = f"big-{number}"
        await store.create(Key("secrets", "default", name), secret(name, data="QUFB" * (100 << 10)))


async def test_a_full_etcd_refuses_writes_reads_on_and_recovers(
    tmp_path: Path, secret: MakeSecret
) -> None:
    process = EtcdProcess(tmp_path, f"--quota-backend-bytes={4 << 20}")
    await process.start()
    etcd = EtcdClient([process.endpoint])
    store = plain_store(etcd)
    await store.create(APP1, secret())
    with pytest.raises(StorageFullError, match="etcdserver: mvcc: database space exceeded"):
        await fill(store, secret)
    current = await store.get(APP1)
    assert len((await store.list("secrets")).items) > 1
    with pytest.raises(StorageFullError):
        await store.replace(APP1, secret(data="MQ=="), current=current)
    # As an operator does it; some versions of etcd refuse even a delete in a transaction.
    await etcd.delete_prefix(b"/registry/secrets/default/big-")
    await etcd.compact(await store.latest_revision("secrets"))
    await process.control("defrag")
    await process.control("alarm", "disarm")
    assert (await store.replace(APP1, secret(data="MQ=="), current=current))["data"]
    await etcd.close()
    await process.stop()


@pytest.mark.parametrize(
    ("size", "message"),
    [(1_600_000, "etcdserver: request is too large"), (2_200_000, "larger than max")],
)
async def test_what_is_too_large_says_so_in_etcds_words(
    store: Store, secret: MakeSecret, size: int, message: str
) -> None:
    with pytest.raises(TooLargeError, match=message):
        await store.create(APP1, secret(data="QUFB" * (size // 3)))


async def test_one_of_two_compactors_forgets_what_is_a_round_old(
    own_etcd: EtcdProcess, secret: MakeSecret
) -> None:
    etcd = EtcdClient([own_etcd.endpoint])
    store = plain_store(etcd)
    first, second = Compactor(etcd), Compactor(etcd)
    await store.create(APP1, secret())
    old = (await store.get(APP1)).revision
    assert await first.compact() == 0  # not on its first turn
    assert await second.compact() == 0  # not after another's turn
    await store.list("secrets", revision=old)
    for number in ("MQ==", "Mg=="):
        await store.replace(APP1, secret(data=number), current=await store.get(APP1))
    rounds = [await one.compact() for one in (second, first, second, first, first)]
    assert [compacted > 0 for compacted in rounds] == [True, False, True, False, True]
    with pytest.raises(CompactedError):
        await store.list("secrets", revision=old)
    await etcd.close()


async def test_what_is_younger_than_a_round_still_lists_and_watches(
    own_etcd: EtcdProcess, secret: MakeSecret
) -> None:
    """A client that read just before a compaction goes on from what it read."""
    etcd = EtcdClient([own_etcd.endpoint])
    store = plain_store(etcd)
    compactor = Compactor(etcd)
    await store.create(APP1, secret())
    assert await compactor.compact() == 0
    for number in range(3):
        listed = await store.list("secrets")
        await store.replace(APP1, secret(data="MDAw" * (number + 1)), current=await store.get(APP1))
        after = (await store.get(APP1)).revision
        assert await compactor.compact() > 0
        before = listed.revision
        assert (await store.list("secrets", revision=before)).items == listed.items
        async with aclosing(store.watch("secrets", revision=before)) as events:
            async for event in events:
                if event.type != "BOOKMARK":
                    assert event.revision == after
                    break
    await etcd.close()


async def test_a_compactor_runs_on_through_an_outage(
    own_etcd: EtcdProcess, secret: MakeSecret, until: Until
) -> None:
    etcd = EtcdClient([own_etcd.endpoint], timeout=1)
    store = plain_store(etcd)
    await store.create(APP1, secret())
    old = (await store.get(APP1)).revision
    running = asyncio.create_task(Compactor(etcd, interval=0.05).run())
    await own_etcd.stop()
    await asyncio.sleep(0.3)
    await own_etcd.start()
    number = 0

    async def forgotten() -> bool:
        nonlocal number
        number += 1
        with suppress(StorageUnavailableError):
            current = await store.get(APP1)
            await store.replace(APP1, secret(data="MDAw" * number), current=current)
        try:
            await store.list("secrets", revision=old)
        except CompactedError:
            return True
        except StorageUnavailableError:
            return False
        return False

    await until(forgotten)
    running.cancel()
    await etcd.close()


async def test_a_server_alone_compacts(own_etcd: EtcdProcess, until: Until) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "apiserver_shim", f"--etcd={own_etcd.endpoint}"),
        *("--listen=127.0.0.1:0", "--auth=off", "--etcd-compaction-interval=0.05"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    etcd = EtcdClient([own_etcd.endpoint])

    async def forgotten() -> bool:
        try:
            await etcd.list(b"/", b"0", revision=1)
        except CompactedError:
            return True
        return False

    await until(forgotten)
    process.terminate()
    await process.wait()
    await etcd.close()


async def test_a_store_that_shrank_and_grew_again_ends_the_watch(
    own_etcd: EtcdProcess, secret: MakeSecret, caplog: pytest.LogCaptureFixture
) -> None:
    """The revision passes the watch's before it is back: only reads in between can tell."""
    etcd = EtcdClient([own_etcd.endpoint], timeout=2)
    store = plain_store(etcd)
    await store.create(APP1, secret())
    for number in range(5):
        await store.replace(APP1, secret(a="MDAw" * number), current=await store.get(APP1))
    revision = (await store.get(APP1)).revision

    begun = asyncio.Event()

    async def watch() -> None:
        async with aclosing(store.watch("secrets", revision=revision - 1)) as events:
            async for _ in events:
                begun.set()

    watching = asyncio.create_task(watch())
    await begun.wait()
    await own_etcd.stop()
    own_etcd.forget()
    await own_etcd.start()
    other = plain_store(EtcdClient([own_etcd.endpoint]))
    assert await eventually(store) < revision
    await other.create(APP1, secret())
    for number in range(10):
        await other.replace(APP1, secret(a="MDAw" * number), current=await other.get(APP1))
    with pytest.raises(CompactedError):
        await asyncio.wait_for(watching, PATIENCE)
    assert etcd.resets == 1
    assert "etcd's revision went back" in caplog.text
    await etcd.close()


async def eventually(store: Store) -> int:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await store.latest_revision("secrets")
            except StorageUnavailableError:
                await asyncio.sleep(0.02)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[EtcdProcess]:
    """Asks for passwords; its tokens live for a second."""
    process = EtcdProcess(tmp_path, "--auth-token-ttl=1")
    await process.start()
    for command in (
        "user add root:rootpw",
        "user grant-role root root",
        "user add shim:shimpw",
        "role add registry",
        "role grant-permission registry readwrite --prefix=true /registry",
        "user grant-role shim registry",
        "auth enable",
    ):
        await process.control(*command.split())
    yield process
    await process.stop()


async def test_a_password_serves_beyond_its_tokens_and_restarts(
    guarded: EtcdProcess, tmp_path: Path, secret: MakeSecret
) -> None:
    assert "shimpw" not in repr(EtcdUser("shim", "shimpw"))
    password = tmp_path / "password"
    password.write_text("shimpw\n")
    arguments = ["--etcd", guarded.endpoint, "--etcd-user=shim", f"--etcd-password-file={password}"]
    etcd = etcd_client(build_parser().parse_args(arguments))
    store = plain_store(etcd)
    await store.create(APP1, secret())
    revision = (await store.get(APP1)).revision
    await asyncio.sleep(2.5)  # the token is gone
    current = await store.get(APP1)
    await asyncio.sleep(2.5)
    async with aclosing(store.watch("secrets", revision=revision)) as events:
        following = asyncio.create_task(anext(events))
        await store.replace(APP1, secret(a="MQ=="), current=current)
        assert (await asyncio.wait_for(following, PATIENCE)).type == "MODIFIED"
    with pytest.raises(StorageError, match="etcdserver: permission denied"):
        await Store(etcd, prefix="/other", transformers=TransformerSet({})).get(APP1)
    await etcd.close()


@pytest.mark.parametrize("user", [None, EtcdUser("shim", "wrong")])
async def test_without_the_password_nothing_is_read(
    guarded: EtcdProcess, user: EtcdUser | None
) -> None:
    etcd = EtcdClient([guarded.endpoint], user=user)
    with pytest.raises(StorageError, match=r"etcdserver: (user name is empty|authentication fail)"):
        await plain_store(etcd).get(APP1)
    await etcd.close()


class Authority:
    """A throwaway certificate authority, with files for etcd and bytes for us."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("authority", self._key)
        self.file = self._write("ca.pem", self.certificate)

    def issue(self, name: str) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return self._sign(name, key), pem

    def files(self, name: str) -> tuple[Path, Path]:
        certificate, key = self.issue(name)
        return self._write(f"{name}.pem", certificate), self._write(f"{name}.key", key)

    def _write(self, name: str, data: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(data)
        return path

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(name == "authority", None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self._key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )


async def test_tls_with_client_certificates(tmp_path: Path, secret: MakeSecret) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.files("server")
    process = EtcdProcess(
        tmp_path,
        "--client-cert-auth",
        f"--trusted-ca-file={authority.file}",
        f"--cert-file={certificate}",
        f"--key-file={key}",
    )
    process.endpoint = process.endpoint.replace("http://", "https://")
    ours = EtcdTls(authority.certificate, *authority.issue("shim"))
    await process.start(tls=ours)
    etcd = EtcdClient([process.endpoint], tls=ours)
    await plain_store(etcd).create(APP1, secret())
    # The server alone takes the same as files.
    paths = dict(zip(("certfile", "keyfile"), authority.files("alone"), strict=True))
    options = build_parser().parse_args(
        [
            f"--etcd={process.endpoint}",
            f"--etcd-cafile={authority.file}",
            *(f"--etcd-{name}={path}" for name, path in paths.items()),
        ]
    )
    alone = etcd_client(options)
    assert (await plain_store(alone).get(APP1)).obj["data"] == secret()["data"]
    nobody = EtcdClient([process.endpoint], tls=EtcdTls(authority.certificate))
    with pytest.raises(StorageUnavailableError):
        await plain_store(nobody).get(APP1)
    for client in (etcd, alone, nobody):
        await client.close()
    await process.stop()
