"""The rows of BssOpenApi 2017-12-14, and the product."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from acksim.account.billing.balances import Balances
from acksim.account.billing.china_time import date_of, day_of
from acksim.account.billing.records import BilledDay, Period, Records, Share
from acksim.account.bss.answers import balance_fields, bill_item, found, instance_item, product_type
from acksim.account.bss.requests import BillRequest, DescribeInstanceBillRequest, QueryBillRequest
from alibaba_edge.errors import ApiError, InvalidParameterError
from alibaba_edge.gateway.product import Call, Found, NoParameters, Operation, Product, Resource

NAME = "BssOpenApi"
VERSION = "2017-12-14"
_LAST_CYCLES = 18

RequestT = TypeVar("RequestT", bound=BillRequest)


@dataclass(frozen=True, slots=True)
class Bss:
    """The domain, as the rows see it."""

    balances: Balances
    records: Records


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose bills are asked for, and when."""

    account_id: str
    time: datetime


class OwnerError(ApiError):
    code = "InvalidOwner"
    message = "The specified owner doesn't belong to caller"


async def find_account(_bss: Bss, call: Call, _request: NoParameters) -> Found[Asker]:
    asker = Asker(call.caller.account_id, call.time)
    return Found(asker, (Resource("*", "ACS::BSS::Account", ""),))


async def find_own_account(bss: Bss, call: Call, request: BillRequest) -> Found[Asker]:
    """Members of a billing group are not built: every account owns itself alone."""
    for owner in (request.bill_owner_id, request.owner_id):
        if owner is not None and owner != int(call.caller.account_id):
            raise OwnerError
    return await find_account(bss, call, NoParameters())


async def query_account_balance(bss: Bss, _request: NoParameters, asker: Asker) -> dict[str, Any]:
    return balance_fields(await bss.balances.of(asker.account_id))


async def query_bill(bss: Bss, request: QueryBillRequest, asker: Asker) -> dict[str, Any]:
    """A bill a product and day, in their order."""
    rows = [
        bill
        for bill in await bss.records.days(asker.account_id, request.month)
        if request.type in {"", "PayAsYouGoBill"} and _wanted(request, bill)
    ]
    page = rows[request.start : request.start + request.page_size]
    return found(
        {
            **await _head(bss, request, asker),
            "PageNum": request.page_num,
            "PageSize": request.page_size,
            "TotalCount": len(rows),
            "Items": {"Item": [bill_item(asker.account_id, bill) for bill in page]},
        }
    )


async def describe_instance_bill(
    bss: Bss, request: DescribeInstanceBillRequest, asker: Asker
) -> dict[str, Any]:
    """A row a key, instance or cluster, or a row a billing item of one."""
    if _cycles_ago(request, asker) >= _LAST_CYCLES:
        raise InvalidParameterError("BillingCycle")
    start = _start_of(request)
    rows = [
        (period, share)
        for period in request.days
        for share in await bss.records.shares(
            asker.account_id, period, by_item=request.is_billing_item
        )
        if _wanted(request, share)
        and request.instance_id in {"", share.instance_id}
        and request.pip_code.lower() in {"", share.product}
    ]
    end = start + request.max_results
    head = await _head(bss, request, asker)
    items = [
        instance_item(asker.account_id, head["AccountName"], share, day=_day(request, period))
        for period, share in rows[start:end]
    ]
    return found(
        {
            **head,
            "MaxResults": request.max_results,
            "NextToken": _token(request, end) if end < len(rows) else "",
            "TotalCount": len(rows),
            "Items": items,
        }
    )


async def _head(bss: Bss, request: BillRequest, asker: Asker) -> dict[str, Any]:
    return {
        "BillingCycle": request.billing_cycle,
        "AccountID": asker.account_id,
        "AccountName": await bss.records.account_name(asker.account_id),
    }


def _day(request: DescribeInstanceBillRequest, period: Period) -> int | None:
    return period.first if request.daily else None


def _wanted(request: BillRequest, row: BilledDay | Share) -> bool:
    """By what both questions may say."""
    kind = product_type(row.product, row.model, row.currency)
    return (
        request.subscription_type != "Subscription"
        and request.product_code.lower() in {"", row.product}
        and request.product_type in {"", kind}
        and (bool(row.amount) or not request.is_hide_zero_charge)
    )


def _cycles_ago(request: BillRequest, asker: Asker) -> int:
    now, then = date_of(day_of(asker.time)), date_of(request.month.first)
    return (now.year - then.year) * 12 + now.month - then.month


def _digest(request: DescribeInstanceBillRequest) -> str:
    """Of the question, so that a token goes on with the one that it came from."""
    text = request.model_dump_json(exclude={"max_results", "next_token"})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _token(request: DescribeInstanceBillRequest, start: int) -> str:
    return urlsafe_b64encode(f"{_digest(request)}/{start}".encode()).decode()


def _start_of(request: DescribeInstanceBillRequest) -> int:
    """Raises InvalidParameterError for a token that was not given for this question."""
    if not request.next_token:
        return 0
    try:
        text = urlsafe_b64decode(request.next_token.encode()).decode("ascii")
    except (Error, ValueError):
        text = ""
    digest, _, start = text.partition("/")
    if digest != _digest(request) or not start.isdecimal() or len(start) > 9:
        raise InvalidParameterError("NextToken")
    return int(start)


Run = Callable[[Bss, RequestT, Asker], Awaitable[dict[str, Any]]]


def _row(
    name: str, request: type[RequestT], run: Run[RequestT], ram_action: str
) -> Operation[Bss, Any, Any]:
    return Operation(name, request, "Read", find_own_account, run, ram_action)


OPERATIONS: tuple[Operation[Bss, Any, Any], ...] = (
    Operation(
        "QueryAccountBalance",
        NoParameters,
        "Read",
        find_account,
        query_account_balance,
        "bss:DescribeAcccount",  # with three c, as Alibaba Cloud spells it
    ),
    _row("QueryBill", QueryBillRequest, query_bill, "bss:DescribeBillList"),
    _row(
        "DescribeInstanceBill",
        DescribeInstanceBillRequest,
        describe_instance_bill,
        "bssapi:DescribeInstanceBill",
    ),
)


def bss_product(balances: Balances, records: Records) -> Product:
    return Product(NAME, VERSION, OPERATIONS, Bss(balances, records))
