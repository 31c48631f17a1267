"""The description of the API: whole, readable, and every example on it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from acksim.clients.kms import KmsRefusedError
from kms_emulator.operations import OPERATIONS

if TYPE_CHECKING:
    World = Any

BUILT = sorted(row.name for row in OPERATIONS if row.built)


def described(world: World) -> dict[str, Any]:
    answer = world.client.get(f"http://{world.endpoint}/openapi.json")
    return {
        operation["post"]["operationId"]: operation["post"]
        for operation in answer.json()["paths"].values()
    }


def test_every_built_operation_is_described(world: World) -> None:
    operations = described(world)
    assert sorted(operations) == BUILT
    encrypt = {each["name"]: each for each in operations["Encrypt"]["parameters"]}
    assert encrypt["KeyId"]["required"]
    assert not encrypt["EncryptionContext"]["required"]


@pytest.mark.parametrize("action", BUILT)
def test_the_example_runs(world: World, action: str) -> None:
    (sample,) = described(world)[action]["x-codeSamples"]
    code = compile(sample["source"], action, "exec")
    if "# Refused" in sample["source"]:
        with pytest.raises(KmsRefusedError):
            exec(code, {})
    else:
        exec(code, {})
    assert action in {record.action for record in world.records}


def test_the_page_shows_them_all(world: World) -> None:
    page = world.client.get(f"http://{world.endpoint}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert all(f"<h2 id={action}>" in page.text for action in BUILT)
