"""Balance, bills and arrears by the unmodified SDK, alibabacloud_bssopenapi20171214."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from alibabacloud_bssopenapi20171214 import models
from alibabacloud_bssopenapi20171214.client import Client
from alibabacloud_tea_openapi.models import Config

from acksim.clients.alibaba import ApiClient, Signer
from acksim.clients.kms import Kms, KmsRefusedError

CALLS = 12
CALLED = 0.000008 * CALLS  # in Hangzhou
KEPT = 0.002


class Tenant:
    """An account of its own, perhaps with a key that is used and one that is not."""

    used: str
    idle: str

    def __init__(self, emulator: Any, cash: str, **terms: str) -> None:
        self.emulator = emulator
        facts = emulator.post("/_sim/accounts", {"name": "shop", "cash": cash, **terms})
        self.account_id: str = facts["account_id"]
        credentials = facts["access_key_id"], facts["access_key_secret"]
        self.kms = Kms(emulator.endpoint, *credentials)
        self.ram = ApiClient(emulator.endpoint, Signer(*credentials), version="2015-05-01")
        self.bss = self.client(*credentials)

    def client(self, access_key_id: str, access_key_secret: str) -> Any:
        return Client(
            Config(
                access_key_id=access_key_id,
                access_key_secret=access_key_secret,
                endpoint=self.emulator.endpoint.removeprefix("http://"),
                protocol="HTTP",
                region_id="cn-hangzhou",
            )
        )

    def new_key(self) -> str:
        key_id: str = self.kms.create_key()["KeyId"]
        return key_id

    def encrypt(self, key_id: str, times: int = 1) -> None:
        for _ in range(times):
            self.kms.call("Encrypt", KeyId=key_id, Plaintext="aGk=")

    def advance(self, duration: str) -> None:
        self.emulator.post("/_sim/clock", {"advance": duration})

    def recharge(self, amount: str) -> None:
        self.emulator.post("/_sim/balance", {"account_id": self.account_id, "recharge": amount})

    def today(self) -> datetime:
        """In China, which is where bills are written."""
        return datetime.fromisoformat(self.emulator.get("/_sim/clock")["now"]) + timedelta(hours=8)

    def cycle(self) -> str:
        return f"{self.today():%Y-%m}"

    def balance(self) -> Any:
        return self.bss.query_account_balance().body.data

    def bills(self, **options: Any) -> Any:
        request = models.QueryBillRequest(**{"billing_cycle": self.cycle(), **options})
        return self.bss.query_bill(request).body

    def instances(self, **options: Any) -> Any:
        request = models.DescribeInstanceBillRequest(**{"billing_cycle": self.cycle(), **options})
        return self.bss.describe_instance_bill(request).body


@pytest.fixture(scope="module")
def running(
    emulator: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """On the second day of a month, so that no test meets the end of one."""
    with emulator(tmp_path_factory.mktemp("bss")) as started:
        started.wait()
        now = datetime.fromisoformat(started.get("/_sim/clock")["now"]) + timedelta(hours=8)
        following = (now.replace(day=1) + timedelta(days=32)).replace(day=2)
        started.post("/_sim/clock", {"advance": f"{(following - now).days}d"})
        yield started


@pytest.fixture(scope="module")
def shop(running: Any) -> Tenant:
    """Two keys, one of them used; two days have passed."""
    shop = Tenant(running, "10")
    shop.used, shop.idle = shop.new_key(), shop.new_key()
    shop.encrypt(shop.used, CALLS)
    shop.advance("2d")
    return shop


def refusal(call: Callable[[], object]) -> Any:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the SDK's own
        call()
    return raised.value


def test_a_balance_is_made_of_strings(shop: Tenant) -> None:
    answer = shop.bss.query_account_balance().body
    assert (answer.code, answer.message, answer.success) == ("200", "success", True)
    data = answer.data
    left = f"{10 - CALLED - 4 * KEPT:.6f}"
    assert (data.available_amount, data.available_cash_amount) == (left, left)
    assert (data.currency, data.credit_amount, data.mybank_credit_amount) == ("USD", "0.00", "0.00")


def test_query_bill_has_a_bill_a_day(shop: Tenant) -> None:
    answer = shop.bills()
    assert (answer.code, answer.message, answer.success) == ("Success", "Successful!", True)
    data = answer.data
    assert (data.account_id, data.account_name) == (shop.account_id, "shop")
    assert (data.billing_cycle, data.page_num, data.page_size) == (shop.cycle(), 1, 20)
    first, second = data.items.item
    assert (first.pretax_amount, second.pretax_amount) == (
        pytest.approx(CALLED + 2 * KEPT),
        pytest.approx(2 * KEPT),
    )
    assert isinstance(first.pretax_gross_amount, float)
    assert (first.payment_amount, first.outstanding_amount) == (first.pretax_amount, 0.0)
    assert (first.status, first.round_down_discount) == ("PayFinish", "0")
    assert (first.product_code, first.subscription_type, first.item) == (
        "kms",
        "PayAsYouGo",
        "PayAsYouGoBill",
    )
    assert first.usage_end_time == second.usage_start_time
    assert second.usage_end_time == f"{shop.today():%Y-%m-%d} 00:00:00"
    assert first.record_id != second.record_id


@pytest.mark.parametrize(
    ("options", "found", "total"),
    [
        ({"page_size": 1}, 1, 2),
        ({"page_size": 1, "page_num": 2}, 1, 2),
        ({"page_num": 2}, 0, 2),
        ({"product_code": "kms", "subscription_type": "PayAsYouGo"}, 2, 2),
        ({"product_code": "ecs"}, 0, 0),
        ({"subscription_type": "Subscription", "product_code": "kms"}, 0, 0),
        ({"type": "Refund"}, 0, 0),
        ({"product_type": "kms_ppi_public_intl"}, 0, 0),
        ({"billing_cycle": "2020-01"}, 0, 0),
        ({"is_hide_zero_charge": True}, 2, 2),
    ],
)
def test_query_bill_filters_and_pages(
    shop: Tenant, options: dict[str, Any], found: int, total: int
) -> None:
    data = shop.bills(**options).data
    assert (len(data.items.item), data.total_count) == (found, total)


def test_an_instance_bill_has_a_row_a_key(shop: Tenant) -> None:
    data = shop.instances().data
    amounts = {item.instance_id: item.pretax_amount for item in data.items}
    assert amounts == {
        shop.used: pytest.approx(CALLED + 2 * KEPT),
        shop.idle: pytest.approx(2 * KEPT),
    }
    assert (data.total_count, data.max_results, data.next_token) == (2, 20, "")
    assert {(item.region, item.billing_date, item.usage) for item in data.items} == {
        ("cn-hangzhou", "", "")
    }


def test_billing_items_have_prices_and_usage(shop: Tenant) -> None:
    used: str = shop.used
    items = shop.instances(is_billing_item=True, instance_id=used).data.items
    assert [
        (row.billing_item_code, row.usage, row.usage_unit, row.list_price, row.list_price_unit)
        for row in items
    ] == [
        ("calls-basic", str(CALLS), "calls", "0.08", "USD/10,000 calls"),
        ("days-software", "2", "days", "0.002", "USD/day"),
    ]


def test_a_daily_bill_is_that_of_its_day(shop: Tenant) -> None:
    day = f"{shop.today() - timedelta(days=1):%Y-%m-%d}"
    items = shop.instances(granularity="DAILY", billing_date=day).data.items
    assert [(item.billing_date, item.pretax_amount) for item in items] == [(day, KEPT)] * 2
    elsewhere = shop.instances(granularity="DAILY", billing_date="2020-03-01").data
    assert elsewhere.total_count == 4  # as documented: the cycle wins


def test_pages_go_on_by_token(shop: Tenant) -> None:
    seen, token = [], None
    while token != "":
        data = shop.instances(is_billing_item=True, max_results=2, next_token=token).data
        seen += [(item.instance_id, item.billing_item_code) for item in data.items]
        token = data.next_token
        assert data.total_count == 3
    whole = shop.instances(is_billing_item=True).data.items
    assert seen == [(item.instance_id, item.billing_item_code) for item in whole]
    assert len(seen) == 3


def test_bills_of_both_kinds_agree(shop: Tenant) -> None:
    days = sum(item.pretax_amount for item in shop.bills().data.items.item)
    keys = sum(item.pretax_amount for item in shop.instances().data.items)
    costs = shop.emulator.get(f"/_sim/costs?account_id={shop.account_id}&by=day")
    assert days == pytest.approx(keys) == pytest.approx(float(costs["total"]))


@pytest.mark.parametrize(
    ("operation", "options", "code"),
    [
        ("bills", {"billing_cycle": ""}, "MissingParameter"),
        ("bills", {"billing_cycle": "2026-13"}, "InvalidParameter"),
        ("bills", {"billing_cycle": "26-1"}, "InvalidParameter"),
        ("bills", {"billing_cycle": "9999-12"}, "InvalidParameter"),
        ("bills", {"page_size": 301}, "InvalidParameter"),
        ("bills", {"page_num": 0}, "InvalidParameter"),
        ("bills", {"type": "Gift"}, "InvalidParameter"),
        ("bills", {"bill_owner_id": 7}, "InvalidOwner"),
        ("instances", {"billing_cycle": "2020-01"}, "InvalidParameter"),
        ("instances", {"granularity": "DAILY"}, "MissingParameter"),
        ("instances", {"granularity": "HOURLY"}, "InvalidParameter"),
        ("instances", {"granularity": "DAILY", "billing_date": "today"}, "InvalidParameter"),
        ("instances", {"max_results": 301}, "InvalidParameter"),
        ("instances", {"next_token": "MTA="}, "InvalidParameter"),
        ("instances", {"next_token": "ä"}, "InvalidParameter"),
    ],
)
def test_bad_questions_are_refused(
    shop: Tenant, operation: str, options: dict[str, Any], code: str
) -> None:
    error = refusal(lambda: getattr(shop, operation)(**options))
    assert (error.code, error.status_code) == (code, 400)


def test_a_token_is_good_for_its_own_question_only(shop: Tenant) -> None:
    token = shop.instances(max_results=1).data.next_token
    assert token
    error = refusal(lambda: shop.instances(max_results=1, next_token=token, product_code="kms"))
    assert error.code == "InvalidParameter"


def test_nobody_sees_the_bills_of_another_account(running: Any, shop: Tenant) -> None:
    stranger = Tenant(running, "5")
    assert stranger.bills().data.items.item == []
    assert stranger.instances().data.items == []
    assert stranger.balance().available_amount == "5.00"
    error = refusal(lambda: stranger.bills(bill_owner_id=int(shop.account_id)))
    assert error.code == "InvalidOwner"


def test_a_bill_in_yuan_by_the_current_price_list_is_not_to_be_had(running: Any) -> None:
    with pytest.raises(OSError, match="400"):
        Tenant(running, "5", model="instances", currency="CNY")
    with pytest.raises(OSError, match="400"):
        Tenant(running, "-1")
    yuan = Tenant(running, "5", currency="CNY")
    yuan.new_key()
    yuan.advance("1d")
    assert yuan.balance().currency == "CNY"
    assert yuan.balance().available_amount == f"{5 - 0.014:.3f}"


def test_eight_days_unpaid_stop_the_kms_until_a_recharge(running: Any) -> None:
    poor = Tenant(running, "0.00")
    key_id = poor.new_key()

    def status() -> str:
        answer: str = poor.kms.call("DescribeAccountKmsStatus")["AccountStatus"]
        return answer

    assert status() == "Enabled"
    poor.advance("1d")
    assert status() == "InDebt"
    (bill,) = poor.bills().data.items.item
    assert (bill.status, bill.outstanding_amount, bill.payment_time) == ("PayUnclear", KEPT, "")
    poor.advance("6d")
    poor.encrypt(key_id)  # "within seven days the service keeps running"
    poor.advance("1d")
    for action in ("Encrypt", "DescribeKey", "CreateKey"):
        with pytest.raises(KmsRefusedError, match=r"Forbidden\.InDebtOverdue: Current user"):
            poor.kms.call(action, KeyId=key_id, Plaintext="aGk=")
    assert status() == "InDebt"
    assert float(poor.balance().available_amount) < 0
    poor.advance("30d")
    owed = -float(poor.balance().available_amount)
    assert owed == pytest.approx(8 * KEPT + 0.000008)  # nothing more while suspended
    poor.recharge("1")
    poor.encrypt(key_id)
    assert status() == "Enabled"
    assert float(poor.balance().available_amount) == pytest.approx(1 - owed)


def test_a_ram_user_sees_what_its_policies_name(shop: Tenant) -> None:
    shop.ram.call("CreateUser", UserName="clerk")
    key = shop.ram.call("CreateAccessKey", UserName="clerk")["AccessKey"]
    clerk = shop.client(key["AccessKeyId"], key["AccessKeySecret"])
    bills = models.QueryBillRequest(billing_cycle=shop.cycle())
    instances = models.DescribeInstanceBillRequest(billing_cycle=shop.cycle())
    asked: list[tuple[str, Callable[[], Any]]] = [
        ("bss:DescribeAcccount", clerk.query_account_balance),
        ("bss:DescribeBillList", lambda: clerk.query_bill(bills)),
        ("bssapi:DescribeInstanceBill", lambda: clerk.describe_instance_bill(instances)),
    ]
    for number, (action, ask) in enumerate(asked):
        error = refusal(ask)
        assert (error.code, error.status_code) == ("NoPermission", 403)
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "1", "Statement": [statement]})
        name = f"money-{number}"
        shop.ram.call("CreatePolicy", PolicyName=name, PolicyDocument=document)
        shop.ram.call("AttachPolicyToUser", PolicyType="Custom", PolicyName=name, UserName="clerk")
        assert ask().body.success


def test_an_account_billed_by_instances_pays_by_the_day_and_for_no_call(running: Any) -> None:
    tenant = Tenant(running, "100", model="instances")
    instance = "kst-acksim-software"
    key_id = tenant.kms.call("CreateKey", DKMSInstanceId=instance)["KeyMetadata"]["KeyId"]
    tenant.encrypt(key_id, 3)
    tenant.advance("1d")
    (bill,) = tenant.bills(product_type="kms_ppi_public_intl").data.items.item
    assert bill.pretax_amount == 4.53
    rows = {row.instance_id: row.pretax_amount for row in tenant.instances().data.items}
    assert rows == {instance: 4.5, key_id: 0.03}
    charged = tenant.instances(is_billing_item=True, is_hide_zero_charge=True).data.items
    assert {row.billing_item_code for row in charged} == {
        "days-instance-software",
        "days-instance-key-aliyun_kms",
    }
    assert tenant.balance().available_amount == "95.47"
