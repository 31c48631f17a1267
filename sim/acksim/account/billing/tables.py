"""What accounts hold, owe and paid."""

from sqlalchemy import BigInteger, Column, Float, Integer, String, Table

from acksim.account.billing.money import Money
from acksim.account.tables import metadata

balances = Table(
    "balances",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("model", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("cash", Money, nullable=False),
    # The oldest day (since 1970) whose bill is not paid in full.
    Column("overdue_day", Integer, nullable=True),
    Column("next_day", Integer, nullable=False),  # the first one not closed yet
)

transfers = Table(
    "transfers",
    metadata,
    Column(
        "id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("account_id", String(16), nullable=False, index=True),
    Column("time", Float, nullable=False),
    Column("amount", Money, nullable=False),  # below zero: withdrawn
)

bills = Table(
    "bills",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("product", String(16), primary_key=True),
    Column("model", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", Money, nullable=False),
    Column("paid", Money, nullable=False),
    Column("paid_at", Float, nullable=True),
)

bill_items = Table(
    "bill_items",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("product", String(16), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("item", String(32), primary_key=True),
    Column("instance_id", String(64), primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    Column("price", Money, nullable=False),  # of one
    Column("amount", Money, nullable=False),
)
