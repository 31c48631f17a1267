"""Whether an account has opened ACK: the order that OpenAckService places."""

import secrets
from collections.abc import Callable
from datetime import datetime

from acksim.account.cluster_tables import ack_orders
from acksim.account.database import Database
from acksim.ack.cluster import ClusterError


class Subscriptions:
    """The table of orders. Nothing here asks for one: clusters may be made without."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def open(self, account_id: str, type_: str) -> str:
        """The order's id; raises ClusterError `ORDER.OPEND` for an account that has it."""
        order_id = "".join(secrets.choice("0123456789") for _ in range(15))
        order = (
            self._database.insert(ack_orders)
            .values(
                account_id=account_id,
                type=type_,
                order_id=order_id,
                created=self._now().timestamp(),
            )
            .on_conflict_do_nothing()
        )
        if await self._database.run(lambda connection: connection.execute(order).rowcount) != 1:
            raise ClusterError("ORDER.OPEND", "您已开通过该服务 (the service is open already)")
        return order_id
