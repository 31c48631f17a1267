"""Two servers on one etcd against a model: versions, conflicts, lists of the past, watches."""

import random
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.contract.apiserver.conftest import Authority, ClusterDoor, Shim, running_shim
from tests.patience import PATIENCE

SECRETS = "/api/v1/namespaces/default/secrets"
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["QQ==", "Qg==", "Qw=="])
DOORS = st.sampled_from([0, 1])

State = dict[str, tuple[str, str]]  # name: (value, resourceVersion)


@pytest.fixture
def doors(
    shim: Shim, etcd_url: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[ClusterDoor]]:
    """One logical cluster as two servers serve it."""
    first = shim.new_cluster()
    with running_shim([etcd_url], authority, tmp_path_factory.mktemp("second")) as second:
        second.source.specs[first.id] = shim.source.specs[first.id]
        yield [first, ClusterDoor(second, first.id, f"{second.url}/clusters/{first.id}")]


def body(name: str, value: str, version: str = "") -> dict[str, Any]:
    meta = {"name": name, **({"resourceVersion": version} if version else {})}
    return {"metadata": meta, "data": {"v": value}}


class Model(RuleBasedStateMachine):
    """What the servers should hold; every rule asks one of them at random."""

    def __init__(self, apis: list[httpx.Client]) -> None:
        super().__init__()
        self._apis = apis
        apis[0].delete(SECRETS)
        self._begun: str = apis[0].get(SECRETS).json()["metadata"]["resourceVersion"]
        self._now: State = {}
        self._old: dict[str, list[str]] = {}
        self._past: dict[str, State] = {self._begun: {}}
        self._told: list[tuple[str, str, str]] = []

    def _write(self, kind: str, name: str, value: str, version: str) -> None:
        if kind == "DELETED":
            del self._now[name]
        elif self._now.get(name, ("", ""))[1] == version:
            return  # nothing changed, nothing written
        else:
            self._now[name] = (value, version)
            self._old.setdefault(name, []).append(version)
        self._past[version] = dict(self._now)
        self._told.append((kind, name, "" if kind == "DELETED" else version))

    @rule(door=DOORS, name=NAMES, value=VALUES)
    def create(self, door: int, name: str, value: str) -> None:
        answer = self._apis[door].post(SECRETS, json=body(name, value))
        assert answer.status_code == (409 if name in self._now else 201)
        if answer.status_code == 201:
            self._write("ADDED", name, value, answer.json()["metadata"]["resourceVersion"])

    @rule(door=DOORS, name=NAMES, value=VALUES, fresh=st.booleans())
    def update(self, door: int, name: str, value: str, fresh: bool) -> None:
        current = self._now.get(name, ("", ""))[1]
        versions = self._old.get(name, [])
        version = current if fresh or not versions else versions[0]
        answer = self._apis[door].put(f"{SECRETS}/{name}", json=body(name, value, version))
        if name not in self._now:
            assert answer.status_code == 404
        elif version not in {"", current}:
            assert answer.status_code == 409
            assert answer.json()["reason"] == "Conflict"
        else:
            assert answer.status_code == 200
            self._write("MODIFIED", name, value, answer.json()["metadata"]["resourceVersion"])

    @rule(door=DOORS, name=NAMES)
    def delete(self, door: int, name: str) -> None:
        answer = self._apis[door].delete(f"{SECRETS}/{name}")
        assert answer.status_code == (200 if name in self._now else 404)
        if name in self._now:
            version = self._apis[door].get(SECRETS).json()["metadata"]["resourceVersion"]
            self._write("DELETED", name, "", version)

    @rule(door=DOORS, chance=st.randoms(use_true_random=False))
    def list_the_past(self, door: int, chance: random.Random) -> None:
        version = chance.choice(sorted(self._past))
        params = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
        assert self._listed(door, **params) == self._past[version]

    @invariant()
    def both_agree(self) -> None:
        assert self._listed(0) == self._now
        assert self._listed(1) == self._now

    def _listed(self, door: int, **params: str) -> State:
        answer = self._apis[door].get(SECRETS, params=params)
        assert answer.status_code == 200, answer.text
        return {
            item["metadata"]["name"]: (item["data"]["v"], item["metadata"]["resourceVersion"])
            for item in answer.json()["items"]
        }

    def teardown(self) -> None:
        params = {"watch": "true", "resourceVersion": self._begun, "timeoutSeconds": "5"}
        for api in self._apis if self._told else ():
            seen: list[tuple[str, str, str]] = []
            with api.stream("GET", SECRETS, params=params) as stream:
                for line in stream.iter_lines():
                    frame = orjson.loads(line)
                    meta = frame["object"]["metadata"]
                    gone = frame["type"] == "DELETED"
                    version = "" if gone else meta["resourceVersion"]
                    seen.append((frame["type"], meta["name"], version))
                    if len(seen) == len(self._told):
                        break
            assert seen == self._told


def test_servers_and_model_agree(doors: list[ClusterDoor]) -> None:
    with doors[0].client() as first, doors[1].client() as second:
        run_state_machine_as_test(
            # a factory does as well as a class
            lambda: Model([first, second]),  # type: ignore[arg-type]
            settings=settings(
                max_examples=12,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_concurrent_clients_of_two_servers_lose_no_write(doors: list[ClusterDoor]) -> None:
    clients, steps = 6, 15
    conflicts = [0] * clients

    def count(index: int) -> None:
        with doors[index % 2].client() as api:
            for _ in range(steps):
                while True:
                    secret = api.get(f"{SECRETS}/counter").json()
                    number = int(secret["metadata"]["annotations"]["n"]) + 1
                    secret["metadata"]["annotations"]["n"] = str(number)
                    answer = api.put(f"{SECRETS}/counter", json=secret)
                    if answer.status_code == 200:
                        break
                    assert answer.status_code == 409, answer.text
                    conflicts[index] += 1

    with doors[0].client() as api:
        api.post(SECRETS, json={"metadata": {"name": "counter", "annotations": {"n": "0"}}})
        threads = [threading.Thread(target=count, args=(index,)) for index in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        counted = api.get(f"{SECRETS}/counter").json()["metadata"]["annotations"]["n"]
    assert counted == str(clients * steps)
    assert sum(conflicts)
