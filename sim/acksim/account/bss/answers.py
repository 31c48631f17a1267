"""The answers of BssOpenApi: balances are strings, amounts of bills are numbers."""

from decimal import Decimal
from typing import Any

from acksim.account.billing.balances import Balance
from acksim.account.billing.china_time import date_of, midnight, text_of
from acksim.account.billing.money import plain
from acksim.account.billing.records import BilledDay, Share

_PRODUCTS = {
    "kms": ("Key Management Service", "Key Management Service (Pay-As-You-Go)"),
    "ack": ("Container Service for Kubernetes", "ACK Pro Pricing"),
}
_ITEMS = {"calls": "Cryptographic API calls", "days": "Keeping", "hours": "ACK Pro Pricing"}
_USAGE_UNITS = {"calls": "calls", "days": "days", "hours": "hours"}
_PRICE_UNITS = {"calls": "10,000 calls", "days": "day", "hours": "hour"}
_PRICED_CALLS = 10_000
_PAY_AS_YOU_GO = "PayAsYouGo"
_KIND = "PayAsYouGoBill"


def product_type(product: str, model: str, currency: str) -> str:
    """Instances bill as `kms_ppi_public_…` of the site, that of the currency; else as the code."""
    if product == "kms" and model == "instances":
        return f"kms_ppi_public_{'cn' if currency == 'CNY' else 'intl'}"
    return product


def balance_fields(balance: Balance) -> dict[str, Any]:
    """QueryAccountBalance alone says 200 and success."""
    return {
        "Code": "200",
        "Message": "success",
        "Success": True,
        "Data": {
            "AvailableAmount": plain(balance.available),
            "AvailableCashAmount": plain(balance.cash),
            "CreditAmount": "0.00",
            "MybankCreditAmount": "0.00",
            "QuotaLimit": "0.00",
            "Currency": balance.currency,
        },
    }


def found(data: dict[str, Any]) -> dict[str, Any]:
    return {"Code": "Success", "Message": "Successful!", "Success": True, "Data": data}


def bill_item(account_id: str, bill: BilledDay) -> dict[str, Any]:
    """One item of QueryBill."""
    paid_at = "" if bill.paid_at is None else text_of(bill.paid_at)
    record = f"{date_of(bill.day):%Y%m%d}{account_id}{bill.product}"
    return {
        **_amounts(bill.amount, bill.paid, bill.currency),
        **_product(bill.product, bill.model, bill.currency),
        "RecordID": record,
        "SubOrderId": "",
        "OwnerID": account_id,
        "UsageStartTime": text_of(midnight(bill.day)),
        "UsageEndTime": text_of(midnight(bill.day + 1)),
        "PaymentTime": paid_at,
        "PaymentTransactionID": "",
        "PaymentCurrency": bill.currency,
        "PretaxAmountLocal": float(bill.amount),
        "Tax": 0.0,
        "AfterTaxAmount": float(bill.amount),
        "RoundDownDiscount": "0",
        "Status": _status(bill),
    }


def instance_item(
    account_id: str, account_name: str, share: Share, *, day: int | None
) -> dict[str, Any]:
    """One item of DescribeInstanceBill; `day` where it is asked for by the day."""
    return {
        **_amounts(share.amount, share.paid, share.currency),
        **_product(share.product, share.model, share.currency),
        **_item(share),
        "AfterDiscountAmount": float(share.amount),
        "BillAccountID": account_id,
        "BillAccountName": account_name,
        "OwnerID": account_id,
        "BillingDate": "" if day is None else date_of(day).isoformat(),
        "BillingType": "Other",
        "BizType": "",
        "CostUnit": "Unallocated",
        "InstanceConfig": "",
        "InstanceID": share.instance_id,
        "InstanceSpec": "",
        "InternetIP": "",
        "IntranetIP": "",
        "ItemName": "",
        "NickName": "",
        "Region": share.region,
        "ResourceGroup": "",
        "ServicePeriod": "",
        "ServicePeriodUnit": "",
        "Tag": "",
        "Zone": "",
    }


def _amounts(amount: Decimal, paid: Decimal, currency: str) -> dict[str, Any]:
    return {
        "Currency": currency,
        "PretaxGrossAmount": float(amount),
        "InvoiceDiscount": 0.0,
        "DeductedByCoupons": 0.0,
        "DeductedByCashCoupons": 0.0,
        "DeductedByPrepaidCard": 0.0,
        "AdjustAmount": 0.0,
        "PretaxAmount": float(amount),
        "PaymentAmount": float(paid),
        "CashAmount": float(paid),
        "OutstandingAmount": float(amount - paid),
    }


def _product(product: str, model: str, currency: str) -> dict[str, Any]:
    name, detail = _PRODUCTS[product]
    kind = product_type(product, model, currency)
    return {
        "Item": _KIND,
        "SubscriptionType": _PAY_AS_YOU_GO,
        "ProductCode": product,
        "ProductType": kind,
        "ProductName": name,
        "ProductDetail": detail,
        "CommodityCode": kind,
        "PipCode": product,
    }


def _item(share: Share) -> dict[str, Any]:
    """What is told of a billing item, empty for an instance as a whole."""
    kind, _, name = share.item.partition("-")
    if not name:
        return dict.fromkeys(_ITEM_FIELDS, "")
    price = share.price * _PRICED_CALLS if kind == "calls" else share.price
    values = (
        f"{_ITEMS[kind]} ({name})",
        share.item,
        plain(price),
        f"{share.currency}/{_PRICE_UNITS[kind]}",
        str(share.quantity),
        _USAGE_UNITS[kind],
        "0",
    )
    return dict(zip(_ITEM_FIELDS, values, strict=True))


_ITEM_FIELDS = (
    "BillingItem",
    "BillingItemCode",
    "ListPrice",
    "ListPriceUnit",
    "Usage",
    "UsageUnit",
    "DeductedByResourcePackage",
)


def _status(bill: BilledDay) -> str:
    if not bill.amount:
        return "NoSettle"
    return "PayFinish" if bill.paid == bill.amount else "PayUnclear"
