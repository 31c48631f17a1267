"""ActionTrail events as rows for people."""

from typing import Any

HEADS = ("TIME", "SERVICE", "EVENT", "USER", "RESOURCE", "RESULT")


def event_row(event: dict[str, Any]) -> tuple[str, ...]:
    """As `HEADS` say."""
    return (
        event["eventTime"],
        event["serviceName"] or "-",
        event["eventName"],
        event["userIdentity"]["userName"],
        event["resourceName"] or "-",
        event["errorCode"] or "ok",
    )
