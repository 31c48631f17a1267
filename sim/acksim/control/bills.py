"""The control API's part about money: bills, costs, balances."""

from dataclasses import asdict
from datetime import date
from typing import Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from acksim.account.billing.balances import AmountError, Balance, Balances, amount_of
from acksim.account.billing.closing import Closing
from acksim.account.billing.costs import Billing, Division
from acksim.account.billing.money import plain
from acksim.account.billing.prices import Currency, Model, PriceUnknownError
from alibaba_edge.ports import ROOT_ACCOUNT_ID


class Transfer(BaseModel):
    """Into the account (`recharge`) or out of it (`withdraw`, an amount or `all`)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": '{"recharge": "100"}'})

    account_id: str = Field(default=ROOT_ACCOUNT_ID, pattern=r"^\d{16}$")
    recharge: str | None = Field(default=None, max_length=32)
    withdraw: str | None = Field(default=None, max_length=32)


def add_bills(app: FastAPI, closing: Closing, balances: Balances, billing: Billing) -> None:
    """The routes, and what their errors look like."""
    app.exception_handler(PriceUnknownError)(_price_error)
    app.exception_handler(AmountError)(_amount_error)

    @app.get("/_sim/bill")
    async def show_bill(
        account_id: str = ROOT_ACCOUNT_ID, model: Model = "classic", currency: Currency = "USD"
    ) -> dict[str, Any]:
        return (await billing.bill(account_id, model=model, currency=currency)).as_json()

    @app.get("/_sim/costs")
    async def show_costs(
        account_id: str = ROOT_ACCOUNT_ID,
        by: Division = "cluster",
        first: date | None = None,
        last: date | None = None,
    ) -> dict[str, Any]:
        account = await balances.of(account_id)
        return await billing.costs(account, by=by, first=first, last=last)

    @app.get("/_sim/usage")
    async def show_usage(
        account_id: str = ROOT_ACCOUNT_ID, since_hour: int = Query(default=0, ge=0, le=2**31)
    ) -> list[dict[str, Any]]:
        return [asdict(row) for row in await billing.usage(account_id, since_hour=since_hour)]

    @app.get("/_sim/balance")
    async def show_balance(account_id: str = ROOT_ACCOUNT_ID) -> dict[str, Any]:
        return _balance_json(await balances.of(account_id))

    @app.post("/_sim/balance")
    async def move_money(transfer: Transfer) -> dict[str, Any]:
        await closing.settle()  # the days gone by were billed before it
        if transfer.recharge is not None:
            await balances.recharge(transfer.account_id, amount_of(transfer.recharge))
        if transfer.withdraw is not None:
            amount = None if transfer.withdraw == "all" else amount_of(transfer.withdraw)
            await balances.withdraw(transfer.account_id, amount)
        return await show_balance(transfer.account_id)


def _balance_json(balance: Balance) -> dict[str, Any]:
    since = balance.overdue_since
    return {
        "account_id": balance.account_id,
        "model": balance.model,
        "currency": balance.currency,
        "cash": plain(balance.cash),
        "debt": plain(balance.debt),
        "available": plain(balance.available),
        "overdue_since": since.isoformat() if since else None,
        "suspended": balance.suspended,
    }


async def _price_error(_request: Request, error: PriceUnknownError) -> JSONResponse:
    return JSONResponse({"code": "PriceUnknown", "message": str(error)}, status_code=400)


async def _amount_error(_request: Request, error: AmountError) -> JSONResponse:
    return JSONResponse({"code": "InvalidAmount", "message": str(error)}, status_code=400)
