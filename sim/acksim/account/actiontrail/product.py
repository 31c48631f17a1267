"""The product Actiontrail: its table of operations."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from acksim.account.actiontrail.lookup import KEYS, RETENTION, Lookup, Position, Trail
from acksim.account.actiontrail.schemas import LookupEventsRequest, time_text
from acksim.account.seals import Seals
from alibaba_edge.errors import ApiError
from alibaba_edge.gateway.product import Call, Found, Operation, Product, Resource, not_built

_VERSION = "2020-07-06"
_DEFAULT_SPAN = timedelta(days=7)
_TOKEN = "page-of-events"  # noqa: S105 - what a token is for


@dataclass(frozen=True, slots=True)
class ActionTrail:
    """What the rows work with."""

    trail: Trail
    seals: Seals


@dataclass(frozen=True, slots=True)
class _Asked:
    """A lookup, where in it a page begins, and what its token is bound to."""

    lookup: Lookup
    after: Position | None
    digest: str


class _UnknownAttributeError(ApiError):
    code = "InvalidParameter"

    def __init__(self, key: str) -> None:
        super().__init__(
            message=f"The specified parameter LookupAttribute is not valid: there is no key "
            f"{key!r}; the keys are {', '.join(KEYS)}."
        )


class _TimeRangeError(ApiError):
    code = "InvalidParameter"
    message = "The specified parameter StartTime is not valid: it is later than EndTime."


class _TokenError(ApiError):
    code = "InvalidParameter"
    message = (
        "The specified parameter NextToken is not valid: send the one of the last page, "
        "with all other parameters as in the last request."
    )


async def _find(service: ActionTrail, call: Call, request: LookupEventsRequest) -> Found[_Asked]:
    for key, _ in request.attributes:
        if key not in KEYS:
            raise _UnknownAttributeError(key)
    asked = _asked(call, request)
    if request.next_token:
        asked = _continued(service.seals, request.next_token, asked)
    oldest = call.time.replace(microsecond=0) - RETENTION
    kept = replace(asked.lookup, start=max(asked.lookup.start, oldest))
    # No permission is about single events; the record names no resource either.
    arn = f"acs:actiontrail:{call.region}:{call.caller.account_id}:*"
    return Found(replace(asked, lookup=kept), (Resource(arn, "", ""),))


def _asked(call: Call, request: LookupEventsRequest) -> _Asked:
    end = request.end_time or call.time.replace(microsecond=0)
    start = request.start_time or end - _DEFAULT_SPAN
    if start > end:
        raise _TimeRangeError
    lookup = Lookup(
        account_id=call.caller.account_id,
        region=call.region,
        attributes=request.attributes,
        start=start,
        end=end,
        forward=request.forward,
    )
    bound = (
        lookup.account_id,
        lookup.region,
        lookup.attributes,
        request.start_time,
        request.end_time,
        request.max_results,
        lookup.forward,
    )
    return _Asked(lookup, None, hashlib.sha256(orjson.dumps(bound)).hexdigest())


def _continued(seals: Seals, token: str, asked: _Asked) -> _Asked:
    """The same lookup, in the very window of its first page, from where the token says."""
    content = seals.open(_TOKEN, token)
    if content is None:
        raise _TokenError
    digest, start, end, *position = orjson.loads(content)
    if digest != asked.digest:
        raise _TokenError
    lookup = replace(asked.lookup, start=_moment(start), end=_moment(end))
    return replace(asked, lookup=lookup, after=Position(*position))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def _run(service: ActionTrail, request: LookupEventsRequest, asked: _Asked) -> dict[str, Any]:
    lookup = asked.lookup
    page = await service.trail.page(lookup, size=request.max_results, after=asked.after)
    answer: dict[str, Any] = {
        "StartTime": time_text(lookup.start),
        "EndTime": time_text(lookup.end),
        "Events": list(page.events),
    }
    if page.next is not None:
        window = (lookup.start.timestamp(), lookup.end.timestamp())
        content = orjson.dumps((asked.digest, *window, *page.next))
        answer["NextToken"] = service.seals.seal(_TOKEN, content)
    return answer


_UNBUILT_READS = (
    "DescribeRegions",
    "DescribeTrails",
    "DescribeUserAlertCount",
    "DescribeUserLogCount",
    "GetAccessKeyLastUsedEvents",
    "GetAccessKeyLastUsedInfo",
    "GetAccessKeyLastUsedIps",
    "GetAccessKeyLastUsedProducts",
    "GetAccessKeyLastUsedResources",
    "GetGlobalEventsStorageRegion",
    "GetTrailStatus",
    "ListDataEventSelectors",
    "ListDataEventServices",
    "LookupInsightEvents",
)
_UNBUILT_WRITES = (
    "CreateTrail",
    "DeleteTrail",
    "PutDataEventSelector",
    "StartLogging",
    "StopLogging",
    "UpdateTrail",
)
OPERATIONS: tuple[Operation[ActionTrail, Any, Any], ...] = (
    Operation(
        "LookupEvents",
        LookupEventsRequest,
        "Read",
        _find,
        _run,
        ram_action="actiontrail:LookupEvents",
    ),
    *(not_built(name, "Read") for name in _UNBUILT_READS),
    *(not_built(name, "Write") for name in _UNBUILT_WRITES),
)


def actiontrail_product(trail: Trail, seals: Seals) -> Product:
    return Product("Actiontrail", _VERSION, OPERATIONS, ActionTrail(trail, seals))
