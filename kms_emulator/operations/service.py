"""Rows about the KMS as a service: where it is, whether it is open, and what else hangs on it."""

from __future__ import annotations

from typing import Any

from alibaba_edge.gateway.product import (
    Call,
    Found,
    NoParameters,
    Operation,
    Resource,
    find_nothing,
)
from alibaba_edge.regions import REGIONS
from kms_emulator.errors import ServiceOpenError
from kms_emulator.operations.kms import Kms, Row, row, scope_of
from kms_emulator.schemas.policies import ListPoliciesRequest

_SERVICE_TYPE = "ACS::KMS::Service"
_POLICY_TYPE = "ACS::KMS::Policy"


async def find_service(_kms: Kms, call: Call, _request: NoParameters) -> Found[None]:
    return Found(None, (Resource(_arn(call, "*"), _SERVICE_TYPE, ""),))


async def find_access_policies(_kms: Kms, call: Call, _request: ListPoliciesRequest) -> Found[None]:
    return Found(None, (Resource(_arn(call, "policy/*"), _POLICY_TYPE, ""),))


def _arn(call: Call, name: str) -> str:
    scope = scope_of(call)
    return f"acs:kms:{scope.region}:{scope.account_id}:{name}"


async def describe_regions(_kms: Kms, _request: NoParameters, _nothing: None) -> dict[str, Any]:
    return {"Regions": {"Region": [{"RegionId": region} for region in REGIONS]}}


async def find_service_of_account(_kms: Kms, call: Call, _request: NoParameters) -> Found[str]:
    return Found(call.caller.account_id, (Resource(_arn(call, "*"), _SERVICE_TYPE, ""),))


async def describe_account_kms_status(
    kms: Kms, _request: NoParameters, account_id: str
) -> dict[str, Any]:
    in_debt = await kms.standing.overdue(account_id)
    return {"AccountStatus": "InDebt" if in_debt else "Enabled"}


async def open_kms_service(_kms: Kms, _request: NoParameters, _nothing: None) -> dict[str, Any]:
    """Every account has opened it."""
    raise ServiceOpenError


async def list_policies(_kms: Kms, request: ListPoliciesRequest, _nothing: None) -> dict[str, Any]:
    """The permission policies of application access points, of which there are none."""
    return {
        "Policies": {"Policy": []},
        "PageNumber": request.page_number,
        "PageSize": request.page_size,
        "TotalCount": 0,
    }


ROWS: tuple[Row, ...] = (
    Operation(
        "DescribeRegions", NoParameters, "Read", find_nothing, describe_regions, ram_action=None
    ),
    row(
        NoParameters,
        find_service_of_account,
        describe_account_kms_status,
        name="DescribeAccountKmsStatus",
        access="Read",
    ),
    row(NoParameters, find_service, open_kms_service, name="OpenKmsService", access="Write"),
    row(
        ListPoliciesRequest,
        find_access_policies,
        list_policies,
        name="ListPolicies",
        access="Read",
    ),
)
