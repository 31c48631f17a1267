"""A world with the cloud's limits answers as the cloud does when they are passed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from acksim.clients.kms import KmsRefusedError
from acksim.clients.trail import TrailQuery


def test_calls_beyond_the_quota_are_throttled(emulator: Callable[..., Any], tmp_path: Path) -> None:
    with emulator(tmp_path, ACKSIM_LIMITS="on") as started:
        kms = started.wait().kms()
        refused = []
        for _ in range(40):  # of 10 a second
            try:
                kms.create_key()
            except KmsRefusedError as error:
                refused.append(str(error))
        assert len(refused) > 10
        assert set(refused) == {"Rejected.Throttling: QPS Limit Exceeded"}
        kms.call("Encrypt", KeyId="alias/acksim", Plaintext="aGk=")  # another allowance
        trail = started.trail().events(TrailQuery({"EventName": "CreateKey"}))
        throttled = [event for event in trail if event["errorCode"] == "Rejected.Throttling"]
        assert len(throttled) == len(refused)
