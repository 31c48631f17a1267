"""Every door tries its corpus and a few hundred inputs; a broken promise is told."""

import time
from collections.abc import Iterator
from random import Random
from typing import ClassVar

import pytest

from tests.effort import examples
from tests.fuzz.campaign import DOORS, corpus, run
from tests.fuzz.door import Case, ViolationError
from tests.fuzz.lab import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.close()


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.timeout(180)
async def test_no_promise_is_broken(lab: Lab, name: str) -> None:
    cases = corpus(name)
    assert cases
    report = await run(DOORS[name](), lab, seed=1, inputs=examples(200, ci=1000), first=cases)
    assert report.violations == []
    assert report.inputs >= len(cases) + 200


# The inputs of the control API follow the description that a world gives.
@pytest.mark.parametrize("name", sorted(DOORS.keys() - {"control"}))
def test_a_seed_makes_the_same_inputs_again(name: str) -> None:
    one, other = (
        [door.new_case(random) for _ in range(50)]
        for door, random in ((DOORS[name](), Random(7)) for _ in range(2))
    )
    assert one == other


class BrokenDoor:
    """Breaks one promise of each kind."""

    name: ClassVar[str] = "broken"
    share: ClassVar[int] = 1
    alone: ClassVar[bool] = True
    in_process: ClassVar[bool] = True

    async def open(self, lab: Lab) -> None:
        pass

    def new_case(self, random: Random) -> Case:
        return {"number": random.random()}

    async def attempt(self, case: Case, worker: int) -> str:
        match case.get("kind"):
            case "wrong":
                raise ViolationError("wrong")
            case "slow":
                begin = time.process_time()
                while time.process_time() < begin + 2.1:
                    pass
            case "error":
                raise KeyError("x")
        return "right"

    async def close(self) -> None:
        raise ViolationError("at the end")


async def test_what_is_broken_is_told() -> None:
    first: list[Case] = [{"kind": kind} for kind in ("wrong", "slow", "error")]
    report = await run(BrokenDoor(), Lab(), seed=1, inputs=5, first=first)
    assert report.inputs == 8
    assert not report.good
    texts = [violation["text"] for violation in report.violations]
    assert texts[0] == "wrong"
    assert "others were answered at once" in texts[1]
    assert texts[2] == "KeyError: 'x'"
    assert texts[3] == "at the end"
    assert [violation["case"] for violation in report.violations[:3]] == first
