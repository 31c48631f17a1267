"""ActionTrail events as rows for people."""

from typing import Any


def event_row(event: dict[str, Any]) -> tuple[str, ...]:
    """Time, event, user, resource and result."""
    return (
        event["eventTime"],
        event["eventName"],
        event["userIdentity"]["userName"],
        event["resourceName"] or "-",
        event["errorCode"] or "ok",
    )
