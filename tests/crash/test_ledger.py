"""The ledger's rules: what it must notice, and what it must let pass."""

import pytest

from tests.crash.ledger import Ledger, Verdict


def promised(*values: str | None) -> Ledger:
    """A ledger in which one thing was given these values, all of them acknowledged."""
    ledger = Ledger()
    for value in values:
        ledger.begin("Secret", "a", value).acknowledged()
    return ledger


def judge(ledger: Ledger, seen: str | None) -> Verdict | None:
    fault = ledger.entries["Secret", "a"].judge(seen)
    return None if fault is None else fault.verdict


@pytest.mark.parametrize(
    ("values", "seen", "verdict"),
    [
        (["1"], "1", None),
        (["1"], None, Verdict.LOST),
        (["1"], "?", Verdict.WRONG),
        (["1", "2"], "2", None),
        (["1", "2"], "1", Verdict.LOST),
        (["1", "2"], None, Verdict.LOST),
        (["1", None], None, None),
        (["1", None], "1", Verdict.LOST),
        (["1", None], "?", Verdict.WRONG),
        (["1", "2", "1"], "1", None),
    ],
)
def test_what_was_acknowledged_is_there(
    values: list[str | None], seen: str | None, verdict: Verdict | None
) -> None:
    assert judge(promised(*values), seen) == verdict


@pytest.mark.parametrize("asked", ["2", None])
def test_an_unanswered_request_leaves_two_outcomes(asked: str | None) -> None:
    ledger = promised("0", "1")
    ledger.begin("Secret", "a", asked)
    assert judge(ledger, "1") is None
    assert judge(ledger, "0") == Verdict.LOST
    assert judge(ledger, "?") == Verdict.WRONG
    assert judge(ledger, asked) is None


def test_an_outcome_that_was_seen_is_a_promise() -> None:
    ledger = promised("1")
    ledger.begin("Secret", "a", "2")
    assert judge(ledger, "2") is None
    assert judge(ledger, "1") == Verdict.LOST


def test_a_creation_without_answer_may_have_made_nothing() -> None:
    ledger = Ledger()
    ledger.begin("Secret", "a", "1")
    assert judge(ledger, None) is None
    assert ledger.unanswered == {"Secret": 1}
    assert judge(ledger, "1") is None
    assert judge(ledger, None) == Verdict.LOST


def test_nothing_is_asked_of_a_thing_whose_answer_is_missing() -> None:
    ledger = promised("1")
    ledger.begin("Secret", "a", "2")
    with pytest.raises(ValueError, match="waits for an answer"):
        ledger.begin("Secret", "a", "3")


def test_the_trail_has_each_acknowledged_call_and_the_bill_counts_it() -> None:
    ledger = Ledger()
    for number in range(3):
        attempt = ledger.begin("KMS blob", str(number), "plaintext")
        attempt.acknowledged("Encrypt", f"request-{number}", billed=True)
    ledger.begin("KMS key", "k", "Enabled").acknowledged("CreateKey", "request-3")
    everything = {f"request-{number}" for number in range(4)}
    assert ledger.judge_trail(everything) == []
    assert [fault.name for fault in ledger.judge_trail(everything - {"request-2"})] == ["request-2"]
    assert ledger.judge_bill({"Encrypt": 3}) == []
    assert [fault.name for fault in ledger.judge_bill({"Encrypt": 2})] == ["Encrypt"]
    assert [fault.name for fault in ledger.judge_bill({})] == ["Encrypt"]
