"""The regions this world has, and which of them a request means."""

from __future__ import annotations

REGIONS = (
    "cn-qingdao",
    "cn-beijing",
    "cn-zhangjiakou",
    "cn-huhehaote",
    "cn-wulanchabu",
    "cn-hangzhou",
    "cn-shanghai",
    "cn-nanjing",
    "cn-shenzhen",
    "cn-heyuan",
    "cn-guangzhou",
    "cn-chengdu",
    "cn-hongkong",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "eu-central-1",
    "eu-west-1",
    "me-central-1",
    "me-east-1",
    "us-east-1",
    "us-west-1",
)

_KNOWN = frozenset(REGIONS)


def region_of(host: str, region_id: str | None, *, default: str) -> str | None:
    """The endpoint called decides, as in the cloud; then RegionId; None for an unknown RegionId.

    `kms.cn-beijing.aliyuncs.com` and `kms-vpc.cn-beijing.aliyuncs.com` carry a region; a client
    pointed at 127.0.0.1 does not, and most new SDKs send no RegionId at all.
    """
    for label in host.split(".")[1:]:
        if label in _KNOWN:
            return label
    if region_id:
        return region_id if region_id in _KNOWN else None
    return default
