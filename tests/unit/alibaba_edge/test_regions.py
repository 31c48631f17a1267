from __future__ import annotations

import pytest

from alibaba_edge.regions import region_of


@pytest.mark.parametrize(
    ("host", "region_id", "region"),
    [
        ("kms.cn-beijing.aliyuncs.com", None, "cn-beijing"),
        ("kms-vpc.cn-beijing.aliyuncs.com:8743", "cn-shanghai", "cn-beijing"),
        ("kms.cn-beijing.localhost:8700", None, "cn-beijing"),
        ("127.0.0.1:8700", None, "cn-hangzhou"),
        ("127.0.0.1:8700", "", "cn-hangzhou"),
        ("http://127.0.0.1:8700", "eu-central-1", "eu-central-1"),
        ("", "cn-nowhere", None),
        ("cn-beijing", None, "cn-hangzhou"),
    ],
)
def test_the_host_decides_then_the_parameter(
    host: str, region_id: str | None, region: str | None
) -> None:
    assert region_of(host, region_id, default="cn-hangzhou") == region
