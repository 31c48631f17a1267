"""The gauge of requests under way tells the last second's highest number."""

from prometheus_client import CollectorRegistry

from apiserver_shim.api.inflight import InflightMetrics, Peak
from apiserver_shim.api.request import parse_info


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def test_the_highest_of_a_second_is_told_until_the_next_one_has_passed() -> None:
    clock = Clock()
    peak = Peak(clock)
    for step in (1, 1, 1, -1, -1, -1):
        peak.step(step)
    assert peak.read() == 3
    clock.time += 1
    assert peak.read() == 3
    clock.time += 1
    assert peak.read() == 0


def test_what_goes_on_for_long_is_told_all_the_time() -> None:
    clock = Clock()
    peak = Peak(clock)
    peak.step(1)
    for _ in range(5):
        clock.time += 1
        assert peak.read() == 1
    peak.step(1)
    assert peak.read() == 2
    peak.step(-1)
    peak.step(-1)
    clock.time += 2
    assert peak.read() == 0


def test_kinds() -> None:
    registry = CollectorRegistry()
    metrics = InflightMetrics(registry)
    for method, path in (
        ("GET", "/api/v1/secrets"),
        ("GET", "/version"),
        ("PATCH", "/api/v1/namespaces/default/secrets/a"),
    ):
        metrics.peak(parse_info(method, path)).step(1)
    name = "apiserver_current_inflight_requests"
    assert registry.get_sample_value(name, {"request_kind": "readOnly"}) == 2
    assert registry.get_sample_value(name, {"request_kind": "mutating"}) == 1
