"""`/metrics` on the Alibaba port: read by Prometheus' own parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    World = Any


def scrape(world: World) -> dict[tuple[str, ...], float]:
    answer = world.client.get(f"http://{world.endpoint}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_calls_times_and_keys_are_counted(world: World) -> None:
    before = scrape(world)
    key_id = world.create_key()
    world.call("DescribeKey", KeyId=key_id)
    world.call("DescribeKey", KeyId="none")
    world.call("NoSuchAction", KeyId=key_id)
    world.call("DisableKey", KeyId=key_id)
    after = scrape(world)

    def grown(*place: str) -> float:
        return after.get(place, 0) - before.get(place, 0)

    assert grown("acksim_calls_total", "DescribeKey", "OK") == 1
    assert grown("acksim_calls_total", "DescribeKey", "Forbidden.KeyNotFound") == 1
    assert grown("acksim_calls_total", "unknown", "InvalidAction.NotFound") == 1
    assert grown("acksim_call_seconds_count", "DescribeKey") == 2
    assert grown("acksim_call_seconds_bucket", "DescribeKey", "+Inf") == 2
    assert grown("acksim_keys", "Disabled") == 1


def test_nobody_makes_up_labels(world: World) -> None:
    for number in range(20):
        world.call(f"Made-up-{number}")
    text = world.client.get(f"http://{world.endpoint}/metrics").text
    assert re.search("Made-up", text) is None
