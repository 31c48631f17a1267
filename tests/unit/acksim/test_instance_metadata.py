"""The metadata service: what it says, to whom, and for how long."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from acksim.account.credentials import Credentials, RootKey
from acksim.account.database import Database
from acksim.account.instance_metadata import (
    INSTANCE_ID,
    WORKER_ROLE,
    InstanceMetadata,
    ensure_worker_role,
    metadata_routes,
)
from acksim.account.ram.generations import Generations
from acksim.account.ram.ram import Ram, ram_of
from acksim.account.seals import Seals
from acksim.account.sts.sessions import Sessions

ACCOUNT = "1000000000000001"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ROLE = f"/latest/meta-data/ram/security-credentials/{WORKER_ROLE}"
TTL = "X-aliyun-ecs-metadata-token-ttl-seconds"
TOKEN = "X-aliyun-ecs-metadata-token"


@dataclass
class Machine:
    """The instance, with a clock to move; it calls from its own loopback interface."""

    app: Starlette
    ram: Ram
    credentials: Credentials
    clock: list[datetime]

    async def ask(
        self, path: str, method: str = "GET", *, client: str = "127.0.0.1", **headers: str
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(client, 1))
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://100.100.100.200"
        ) as http:
            return await http.request(method, path, headers=given)

    async def text(self, path: str) -> str:
        answer = await self.ask(path)
        assert answer.status_code == 200
        return answer.text

    async def token(self, seconds: object) -> httpx.Response:
        return await self.ask("/latest/api/token", "PUT", **{TTL: str(seconds)})


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    database, clock = Database(tmp_path / "account.db"), [NOON]
    generations = Generations(database)
    credentials = Credentials(database, generations, lambda: clock[0])
    await credentials.ensure_account(RootKey(ACCOUNT, "LTAIroot", "secret"), "root")
    ram = ram_of(database, generations, lambda: clock[0])
    await ensure_worker_role(ram, ACCOUNT)
    metadata = InstanceMetadata(
        ACCOUNT,
        "cn-hangzhou",
        roles=ram.roles,
        sessions=Sessions(database, lambda: clock[0]),
        seals=await Seals.of(database),
        now=lambda: clock[0],
    )
    routes = metadata_routes(metadata, ["emulator.test"])
    yield Machine(Starlette(routes=list(routes)), ram, credentials, clock)
    database.close()


async def test_the_instance_learns_where_it_is(machine: Machine) -> None:
    facts = {
        "region-id": "cn-hangzhou",
        "zone-id": "cn-hangzhou-a",
        "instance-id": INSTANCE_ID,
        "owner-account-id": ACCOUNT,
        "ram/": "security-credentials/",
        "ram/security-credentials/": WORKER_ROLE,
        "ram/security-credentials": WORKER_ROLE,
    }
    found = {item: await machine.text(f"/latest/meta-data/{item}") for item in facts}
    assert found == facts
    names = sorted(name for name in (*facts, "ram/") if "security" not in name)
    assert (await machine.text("/latest/meta-data/")).split("\n") == sorted(set(names))
    assert await machine.text("/latest/meta-data") == await machine.text("/latest/meta-data/")


@pytest.mark.parametrize(
    "path",
    ["/latest/meta-data/mac", "/latest/meta-dataregion-id", f"{ROLE}x", "/latest/user-data"],
)
async def test_what_it_does_not_know_is_404(machine: Machine, path: str) -> None:
    assert (await machine.ask(path)).status_code == 404


async def test_the_roles_credentials_are_those_of_a_real_session(machine: Machine) -> None:
    document = (await machine.ask(ROLE)).json()
    key = await machine.credentials.access_key(document["AccessKeyId"])
    assert key is not None
    assert (document["AccessKeySecret"], document["SecurityToken"]) == (
        key.secret,
        key.security_token,
    )
    assert key.caller.user_name == f"{WORKER_ROLE.lower()}:{INSTANCE_ID}"
    assert document["Code"] == "Success"
    assert document["LastUpdated"] == "2026-01-02T12:00:00Z"
    assert document["Expiration"] == "2026-01-02T13:00:00Z"


async def test_credentials_are_renewed_half_an_hour_before_they_end(machine: Machine) -> None:
    async def key_id_at(moment: timedelta) -> str:
        machine.clock[0] = NOON + moment
        key_id: str = (await machine.ask(ROLE)).json()["AccessKeyId"]
        return key_id

    first = await key_id_at(timedelta())
    assert await key_id_at(timedelta(minutes=29)) == first
    second = await key_id_at(timedelta(minutes=30))
    assert second != first
    assert await key_id_at(timedelta(days=-1)) not in {first, second}  # the clock was set back


async def test_without_a_role_that_trusts_ecs_there_is_none(machine: Machine) -> None:
    trust = (
        '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
        '"Principal":{"Service":["cs.aliyuncs.com"]}}]}'
    )
    assert (await machine.ask(ROLE)).status_code == 200
    await machine.ram.roles.update(ACCOUNT, WORKER_ROLE, trust_policy=trust)
    for path in (ROLE, "/latest/meta-data/ram/security-credentials/", "/latest/meta-data/ram"):
        assert (await machine.ask(path)).status_code == 404
    assert "ram/" not in (await machine.text("/latest/meta-data/")).split("\n")


async def test_a_role_that_was_changed_stays_as_it_is(machine: Machine) -> None:
    async def policies() -> list[str]:
        held = await machine.ram.attachments.policies_of(ACCOUNT, ("Role", WORKER_ROLE))
        return [one.policy.name for one in held]

    assert await policies() == ["AliyunKMSCryptoUserAccess", "AliyunKMSReadOnlyAccess"]
    await machine.ram.attachments.detach(
        ACCOUNT, ("Role", WORKER_ROLE), ("System", "AliyunKMSCryptoUserAccess")
    )
    await ensure_worker_role(machine.ram, ACCOUNT)
    assert await policies() == ["AliyunKMSReadOnlyAccess"]


async def test_a_token_opens_for_as_long_as_it_was_asked_for(machine: Machine) -> None:
    given = await machine.token(60)
    assert given.status_code == 200
    token = {TOKEN: given.text}
    assert (await machine.ask("/latest/meta-data/region-id", **token)).text == "cn-hangzhou"
    machine.clock[0] += timedelta(seconds=59)
    assert (await machine.ask(ROLE, **token)).status_code == 200
    machine.clock[0] += timedelta(seconds=1)
    assert (await machine.ask(ROLE, **token)).status_code == 401


@pytest.mark.parametrize("token", ["", "AAAA", "x" * 64, "AAAAAAAAAAAAAAAAAAAAAEHZVgUUAAAA"])
async def test_a_bad_token_is_worse_than_none(machine: Machine, token: str) -> None:
    assert (await machine.ask(ROLE, **{TOKEN: token})).status_code == 401
    assert (await machine.ask(ROLE)).status_code == 200


@pytest.mark.parametrize("ttl", [0, 21601, -1, "", "1e3", "99999999", "60s"])
async def test_a_token_lives_one_second_to_six_hours(machine: Machine, ttl: object) -> None:
    assert (await machine.token(ttl)).status_code == 400
    assert (await machine.ask("/latest/api/token", "PUT")).status_code == 400
    assert (await machine.token(1)).status_code == (await machine.token(21600)).status_code == 200


async def test_a_token_is_not_for_the_asking_by_get(machine: Machine) -> None:
    assert (await machine.ask("/latest/api/token", **{TTL: "60"})).status_code == 405


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("127.0.0.1", {"host": "evil.example"}),
        ("127.0.0.1", {"host": "evil.example:8700"}),
        ("127.0.0.1", {"host": "127.0.0.1.evil.example"}),
        ("127.0.0.1", {"host": ""}),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}),
        ("127.0.0.1", {"origin": "http://127.0.0.1:8700"}),
        ("192.168.1.7", {}),
        ("8.8.8.8", {"host": "127.0.0.1:8700"}),
        ("nobody", {}),
    ],
)
async def test_only_programs_of_this_machine_are_answered(
    machine: Machine, client: str, headers: dict[str, str]
) -> None:
    assert (await machine.ask(ROLE, client=client, **headers)).status_code == 403
    token = await machine.ask("/latest/api/token", "PUT", client=client, **{**headers, TTL: "60"})
    assert token.status_code == 403


@pytest.mark.parametrize(
    "host",
    ["100.100.100.200", "100.100.100.200:80", "localhost:8700", "[::1]:8700", "[::1]",
     "127.0.0.1", "Emulator.test:8700"],
)  # fmt: skip
async def test_any_name_of_this_machine_will_do(machine: Machine, host: str) -> None:
    for client in ("127.0.0.1", "127.8.8.8", "::1", "100.100.100.200"):
        assert (await machine.ask(ROLE, client=client, host=host)).status_code == 200
