"""A short campaign every day; and that a campaign would notice what it is for."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from acksim.clients.alibaba import Signer
from acksim.clients.trail import TrailClient
from acksim.clients.world import World
from acksim.data_dir.layout import Layout
from acksim.world import etcd_server
from acksim.world.launcher import temporary_data_dir
from apiserver_shim.storage.etcd import EtcdClient
from tests.contract.ack.conftest import Account
from tests.crash.campaign import Campaign, UnfitEtcdError
from tests.crash.checks import Checks
from tests.crash.doors.cloud import Aliases, Blobs
from tests.crash.doors.kubernetes import Secrets
from tests.crash.kills import KILLED, Blow, plan
from tests.crash.ledger import Ledger
from tests.crash.writers import Writer


@pytest.fixture
def root() -> Iterator[Path]:
    directory = temporary_data_dir()
    yield directory
    shutil.rmtree(directory)


@pytest.mark.timeout(300)  # thirty seconds are usual; for a machine that has much else to do
def test_nothing_acknowledged_is_lost(root: Path) -> None:
    try:
        campaign = Campaign(root, seed=0)
    except UnfitEtcdError as error:
        pytest.skip(str(error))
    targets = ("etcd", "emulator", "apiserver", "plugin", "parent")
    report = campaign.run([Blow("kill", target) for target in targets])
    assert report.good, report.text()
    assert {name: struck.times for name, struck in report.struck.items()} == dict.fromkeys(
        targets, 1
    )
    assert set(report.ledger.acknowledged) == {
        *("Secret, KMS v1", "Secret, KMS v2", "KMS blob", "KMS key", "KMS alias", "KMS tag"),
        *("RAM user", "RAM policy", "cluster", "plugin blob"),
    }


def test_it_refuses_to_judge_an_etcd_that_may_forget(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = etcd_server.Etcd("etcd", (3, 5, 1))
    monkeypatch.setattr(etcd_server, "find", lambda: forgetful)
    with pytest.raises(UnfitEtcdError, match="may lose acknowledged writes"):
        Campaign(root, seed=0)


def test_every_loss_is_noticed(acksim: World) -> None:
    """A world that forgets: below its own back something of each store is taken away."""
    made = acksim.new_account()
    account = Account(acksim, made["account_id"], made["access_key_id"], made["access_key_secret"])
    key_id = account.new_key()
    cluster = acksim.create_cluster("forgetful", account_id=account.id, key_id=key_id)
    secrets = Secrets("v1", acksim.kubeconfig(cluster["cluster_id"]))
    blobs, aliases = Blobs(account.kms, key_id), Aliases(account.kms, key_id, account.new_key())
    doors, ledger = [secrets, blobs, aliases], Ledger()
    for door in doors:
        writer = Writer(door, ledger)
        for _ in range(4 * (door.changes + 2)):
            writer.step()
        assert writer.faults == []
    checks = Checks(doors, ledger, account.id)
    trail = TrailClient(
        acksim.facts.endpoint, Signer(account.access_key_id, account.access_key_secret)
    )
    layout = Layout.of(acksim.facts.data_dir)
    assert checks.sample(trail) == checks.everything(acksim, layout) == []

    alive = {
        kind: next(
            name
            for (of, name), one in ledger.entries.items()
            if of == kind and one.acknowledged is not None
        )
        for kind in (secrets.kind, aliases.kind)
    }
    asyncio.run(_forget_in_etcd(acksim, f"{cluster['etcd_prefix']}/secrets/default/"))
    account.kms.call("DeleteAlias", AliasName=f"alias/{alive[aliases.kind]}")
    request_id = next(iter(ledger.request_ids))
    with closing(sqlite3.connect(layout.database, timeout=30)) as database, database:
        database.execute("DELETE FROM events WHERE instr(CAST(body AS TEXT), ?) > 0", (request_id,))
        database.execute("DELETE FROM usage WHERE account_id=?", (account.id,))
    faults = checks.everything(acksim, layout)
    lost = {(fault.kind, fault.name) for fault in faults}
    assert {
        (secrets.kind, alive[secrets.kind]),
        (aliases.kind, alive[aliases.kind]),
        ("trail event", request_id),
        ("bill", "Encrypt"),
    } <= lost
    assert {fault.verdict for fault in faults} == {"lost"}
    secrets.close()


async def _forget_in_etcd(world: World, prefix: str) -> None:
    etcd = EtcdClient(world.facts.etcd)
    await etcd.delete_prefix(prefix.encode())
    await etcd.close()


def test_a_seed_chooses_the_kills_and_spreads_them() -> None:
    assert plan(100, seed=7) == plan(100, seed=7) != plan(100, seed=8)
    kills = Counter(blow.target for blow in plan(100, seed=7) if blow.how == "kill")
    assert kills.total() == 100
    assert set(kills) == set(KILLED)
    assert max(kills.values()) - min(kills.values()) <= 1
