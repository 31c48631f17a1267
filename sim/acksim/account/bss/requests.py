"""The requests of BssOpenApi, with its spelling and limits."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from acksim.account.billing.china_time import day_of_date, month_end
from acksim.account.billing.records import Period
from alibaba_edge.fields import Flag, WireRequest, optional

_Month = Annotated[
    str, StringConstraints(pattern=r"^(19[7-9][0-9]|[2-8][0-9]{3})-(0[1-9]|1[0-2])$")
]
_Name = Annotated[str, StringConstraints(max_length=128)]
_Owner = Annotated[int | None, BeforeValidator(optional)]
_Subscription = Literal["", "Subscription", "PayAsYouGo"]


def _day(text: object) -> object:
    """ISO dates alone: pydantic would take a number of seconds, too."""
    return date.fromisoformat(str(text)) if text else None


class BillRequest(WireRequest):
    """What every question about bills may say."""

    billing_cycle: _Month
    product_code: _Name = ""
    product_type: _Name = ""
    subscription_type: _Subscription = ""
    is_hide_zero_charge: Flag = False
    bill_owner_id: _Owner = None
    owner_id: _Owner = None

    @property
    def month(self) -> Period:
        first = day_of_date(date.fromisoformat(f"{self.billing_cycle}-01"))
        return Period(first, month_end(first))


class QueryBillRequest(BillRequest):
    type: Literal["", "SubscriptionOrder", "PayAsYouGoBill", "Refund", "Adjustment"] = ""
    page_num: Annotated[int, Field(ge=1, lt=2**31)] = 1
    page_size: Annotated[int, Field(ge=1, le=300)] = 20

    @property
    def start(self) -> int:
        return (self.page_num - 1) * self.page_size


class DescribeInstanceBillRequest(BillRequest):
    granularity: Literal["", "MONTHLY", "DAILY"] = ""
    billing_date: Annotated[date | None, BeforeValidator(_day)] = None
    is_billing_item: Flag = False
    instance_id: _Name = Field(default="", alias="InstanceID")
    pip_code: _Name = ""
    max_results: Annotated[int, Field(ge=1, le=300)] = 20
    next_token: Annotated[str, StringConstraints(max_length=256)] = ""

    @property
    def daily(self) -> bool:
        return self.granularity == "DAILY"

    @property
    def days(self) -> list[Period]:
        """What is summed up: the month, or its day; a day of another month means every day."""
        month = self.month
        if not self.daily or self.billing_date is None:
            return [month]
        day = day_of_date(self.billing_date)
        if month.first <= day < month.end:
            return [Period(day, day + 1)]
        return [Period(day, day + 1) for day in range(month.first, month.end)]

    @model_validator(mode="before")
    @classmethod
    def _need_a_date(cls, parameters: dict[str, str]) -> dict[str, str]:
        """DAILY without a date misses it."""
        if parameters.get("Granularity") == "DAILY" and not parameters.get("BillingDate"):
            return {**parameters, "BillingDate": "missing"}
        return parameters
