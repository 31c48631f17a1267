"""The switch against API servers that follow when they like, killed where it hurts."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acksim.account.database import Database
from acksim.ack import switching
from acksim.ack.arranging import Arranger
from acksim.ack.cluster import Cluster, ClusterError, Provider
from acksim.ack.coverage import Coverage, Seal
from acksim.ack.directory import ClusterDirectory
from acksim.ack.plugins import Plugins
from acksim.ack.providers import MOST_PROVIDERS, providers_of
from acksim.ack.store import ClusterStore
from acksim.ack.switching import EncryptionSwitch
from apiserver_shim.encryption import config
from tests.effort import examples

KEYS = [None, "key-a", "key-b", "key-c"]
PLAIN = "identity"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Killed(Exception):  # noqa: N818 - kill -9 is nobody's error
    """The process is gone, in the middle of whatever it did."""


class Fate:
    """Kills at a moment that chance chooses; without it nothing happens."""

    def __init__(self, random: Random, kills: int) -> None:
        self.random = random
        self.kills = kills

    def may_strike(self) -> None:
        if self.kills and self.random.random() < 0.2:
            self.kills -= 1
            raise Killed


class FakePlugins:
    """Which plugins listen; gone with the process."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate
        self.names: set[str] = set()

    def socket(self, provider: Provider) -> Path:
        return Path("/run") / provider.socket

    async def start(self, cluster: Cluster) -> None:
        for provider in providers_of(cluster):
            self.fate.may_strike()
            self.names.add(provider.name)
        self.fate.may_strike()

    async def stop_others(self, cluster: Cluster) -> None:
        self.fate.may_strike()
        self.names &= {provider.name for provider in providers_of(cluster)}


class FakeServers:
    """API servers on one etcd. A value is the name of the provider that sealed it."""

    def __init__(self, path: Path, fate: Fate, number: int) -> None:
        self.path = path
        self.fate = fate
        self.loaded: list[tuple[str, list[str]]] = [("", [PLAIN])] * number
        self.values: Counter[str] = Counter()
        self.dead: set[str] = set()

    def live(self) -> None:
        """Some follow the file, each writes one value, and each can read every value."""
        for index in range(len(self.loaded)):
            if self.fate.random.random() < 0.4:
                self.follow(index)
            self.values[self.loaded[index][1][0]] += 1
        for _, providers in self.loaded:
            assert set(self.values) <= set(providers), "a Secret cannot be read"

    def follow(self, index: int) -> None:
        content = (self.path / "encryption.yaml").read_bytes()
        providers = [
            provider["kms"]["name"] if "kms" in provider else PLAIN
            for provider in yaml.safe_load(content)["resources"][0]["providers"]
        ]
        if not self.dead & set(providers):
            self.loaded[index] = (config.digest(content), providers)

    async def objection(self, _cluster: Cluster, digest: str) -> str | None:
        self.live()
        self.fate.may_strike()
        behind = [one for one, _ in self.loaded if one != digest]
        return f"{len(behind)} serve an earlier configuration" if behind else None

    async def survey(self, _cluster: Cluster) -> Coverage:
        self.fate.may_strike()
        sealed = {name: number for name, number in self.values.items() if name != PLAIN}
        return Coverage(Counter({Seal(name, "v1", None, None): n for name, n in sealed.items()}))

    def rewrite(self) -> None:
        """The storage migration, by the first server."""
        self.values = Counter({self.loaded[0][1][0]: self.values.total()})


class Story:
    """One cluster and what lives around it, through as many processes as it takes."""

    def __init__(self, database: Database, folder: Path, cluster_id: str, fate: Fate) -> None:
        self.store = ClusterStore(database)
        self.cluster_id = cluster_id
        self.fate = fate
        self.directory = ClusterDirectory(folder)
        self.servers = FakeServers(folder / cluster_id, fate, number=3)
        self.reports: list[tuple[str | None, str | None]] = []
        self.start()

    def start(self, *, patience: float = 60) -> None:
        """A new process: only the record and the files are what they were."""
        self.plugins = FakePlugins(self.fate)
        self.arranger = Arranger(self.store, self.directory, cast("Plugins", self.plugins))
        self.switch = EncryptionSwitch(
            self.store,
            arranger=self.arranger,
            servers=self.servers,
            survey=self.servers.survey,
            now=lambda: NOW,
            report=self.heard,
            patience=patience,
        )

    async def heard(self, cluster: Cluster, failure: str | None) -> None:
        self.fate.may_strike()
        self.reports.append((cluster.key_id, failure))

    async def create(self, key_id: str | None) -> None:
        cluster = Cluster(
            id=self.cluster_id,
            account_id="1",
            region="cn-hangzhou",
            name="shop",
            key_id=key_id,
            kms_version="v1",
            incarnation=1,
            created=NOW,
            updated=NOW,
            creator="1",
        )
        await self.store.insert(cluster)
        kills, self.fate.kills = self.fate.kills, 0
        await self.arranger.arrange(self.cluster_id)
        for index in range(len(self.servers.loaded)):
            self.servers.follow(index)
        self.fate.kills = kills

    async def until(self, key_id: str | None) -> Cluster:
        """Switches, and resumes in a new process after each kill."""
        await self.switch.begin(self.cluster_id, key_id)
        while True:
            task = self.switch._tasks[self.cluster_id]
            try:
                await task
            except Killed:
                self.start()
                self.servers.live()
                await self.switch.resume()
            else:
                return await self.store.get(self.cluster_id)

    async def drop(self) -> None:
        while True:
            try:
                await self.switch.drop_unneeded(self.cluster_id)
            except Killed:
                self.start()
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(self.fate, "kills", 0)
                    await self.arranger.arrange(self.cluster_id)
            else:
                return


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(tmp_path_factory.mktemp("account") / "account.db")
    yield opened
    opened.close()


@pytest.fixture
def story(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Story]:
    monkeypatch.setattr(switching, "_LOOK_SECONDS", 0)
    monkeypatch.setattr(switching, "_GRACE_SECONDS", 0)
    numbers = count()
    path_id = abs(hash(tmp_path)) % 16**16

    def new(seed: int = 0, *, kills: int = 0) -> Story:
        cluster_id = f"c{path_id:016x}{next(numbers):016x}"
        return Story(database, tmp_path, cluster_id, Fate(Random(seed), kills))

    return new


@settings(
    max_examples=examples(5, ci=25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**32),
    first=st.sampled_from(KEYS),
    targets=st.lists(st.sampled_from(KEYS), min_size=1, max_size=4),
    kills=st.integers(0, 6),
)
def test_every_server_reads_every_secret_at_every_moment(
    story: Callable[..., Story], seed: int, first: str | None, targets: list[Any], kills: int
) -> None:
    async def tell() -> None:
        told = story(seed, kills=kills)
        await told.create(first)
        for target in targets:
            told.fate.kills = kills
            cluster = await told.until(target)
            assert (cluster.state, cluster.key_id, cluster.switch_stage) == (
                "running",
                target,
                None,
            )
            assert told.reports[-1] == (target, None)
            wanted = {one.name for one in cluster.providers}
            writers = {providers[0] for _, providers in told.servers.loaded}
            assert len(writers) == 1
            assert (writers == {PLAIN}) == (target is None)
            assert told.plugins.names >= wanted
            if told.fate.random.random() < 0.5:
                told.servers.rewrite()
                await told.drop()
                kept = providers_of(await told.store.get(told.cluster_id))
                assert {one.key_id for one in kept} == ({target} - {None})
            told.servers.live()

    asyncio.run(tell())


async def test_a_target_that_is_never_served_is_given_up(story: Callable[..., Story]) -> None:
    told = story()
    await told.create("key-a")
    told.start(patience=0)
    target = "grpc-kms-provider-" + "0" * 8
    await told.switch.begin(told.cluster_id, "key-b")
    target = next(
        one.name
        for one in (await told.store.get(told.cluster_id)).providers
        if one.key_id == "key-b"
    )
    told.servers.dead = {target}
    await told.switch._tasks[told.cluster_id]
    cluster = await told.store.get(told.cluster_id)
    assert (cluster.state, cluster.key_id, cluster.switch_stage) == ("running", "key-a", None)
    assert [one.key_id for one in cluster.providers] == ["key-a"]
    (report,) = told.reports
    assert report[0] == "key-a"
    assert "earlier configuration" in str(report[1])


async def test_a_dead_key_that_nothing_needs_does_not_stand_in_the_way(
    story: Callable[..., Story],
) -> None:
    told = story()
    await told.create("key-a")
    await told.until("key-b")
    told.servers.rewrite()
    told.servers.dead = {"grpc-kms-provider"}
    cluster = await told.until("key-c")
    assert [one.key_id for one in cluster.providers] == ["key-c", "key-b"]


async def test_one_switch_at_a_time(story: Callable[..., Story]) -> None:
    told = story()
    await told.create(None)
    both = await asyncio.gather(
        *(told.switch.begin(told.cluster_id, key) for key in ("key-a", "key-b")),
        return_exceptions=True,
    )
    (refused,) = [one for one in both if isinstance(one, BaseException)]
    assert isinstance(refused, ClusterError)
    assert refused.code == "ErrorClusterState"
    await told.switch.stop()


async def test_the_number_of_providers_is_bounded(story: Callable[..., Story]) -> None:
    told = story()
    await told.create("key-0")
    for number in range(1, MOST_PROVIDERS):
        await told.until(f"key-{number}")
    with pytest.raises(ClusterError, match="acksim cluster rewrite") as refused:
        await told.switch.begin(told.cluster_id, "one-more")
    assert refused.value.code == "ErrorClusterProviders"
    told.servers.rewrite()
    assert len(await told.switch.drop_unneeded(told.cluster_id)) == MOST_PROVIDERS - 1
    assert (await told.until("one-more")).key_id == "one-more"


async def test_a_cluster_that_is_deleted_ends_its_switch(story: Callable[..., Story]) -> None:
    told = story()
    await told.create("key-a")
    told.servers.dead = {"grpc-kms-provider"}
    await told.switch.begin(told.cluster_id, "key-b")
    await told.switch.forget(told.cluster_id)
    await told.store.delete(told.cluster_id)
    with pytest.raises(ClusterError, match="does not exist"):
        await told.arranger.arrange(told.cluster_id)
