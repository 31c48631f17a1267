"""ActionTrail: what was called, by whom, on what, and how it ended.

Events have the fields of Alibaba Cloud's "Management event structure". They never hold a
plaintext, a ciphertext or a credential: the gateway hands over redacted parameters.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select

from kms_emulator.ports import Caller, CallRecord
from sim.account.database import Database
from sim.account.tables import events


class Trail:
    """Looks events up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lookup(
        self, account_id: str, *, name: str | None = None, resource: str | None = None, limit: int
    ) -> list[dict[str, Any]]:
        """The newest `limit` events of the account, newest first."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            query = select(events.c.body).where(events.c.account_id == account_id)
            if name is not None:
                query = query.where(events.c.name == name)
            if resource is not None:
                query = query.where(events.c.resource_name == resource)
            query = query.order_by(events.c.sequence.desc()).limit(limit)
            return [orjson.loads(body) for body in connection.execute(query).scalars()]

        return await self._database.run(work)


EVENT_COLUMNS = ("account_id", "time", "service", "name", "user_name", "resource_name", "body")
EventRow = tuple[str, float, str, str, str, str, bytes]


def event_row(call: CallRecord) -> EventRow:
    """One row of the table `events`, as `EVENT_COLUMNS` say."""
    return (
        call.caller.account_id,
        call.time.timestamp(),
        call.product,
        _indexed(call.action, 64),
        call.caller.user_name,
        _indexed(call.resource_name or "", 256),
        orjson.dumps(event(call)),
    )


def _indexed(text: str, limit: int) -> str:
    """What a client may have made up, as far as its column takes it; the body has the whole."""
    return text[:limit].replace("\0", "")


def event(call: CallRecord) -> dict[str, Any]:
    """The event as LookupEvents answers it."""
    parameters = _parameters(call)
    resource_type, resource_name = call.resource_type or "", call.resource_name or ""
    return {
        "eventId": call.request_id,
        "requestId": call.request_id,
        "eventVersion": "1",
        "eventCategory": "Management",
        "eventType": "ApiCall",
        "eventTime": _utc(call.time),
        "eventName": call.action,
        "eventRW": call.access,
        "serviceName": call.product,
        "apiVersion": call.version,
        "eventSource": call.host,
        "acsRegion": call.region,
        "sourceIpAddress": call.source_ip,
        "userAgent": call.user_agent,
        "userIdentity": _identity(call.caller),
        "requestParameters": parameters,
        "requestParameterJson": orjson.dumps(parameters).decode(),
        "resourceType": resource_type,
        "resourceName": resource_name,
        "referencedResources": {resource_type: [resource_name]} if resource_name else {},
        "additionalEventData": {"Scheme": "http"},
        "recipientAccountId": call.caller.account_id,
        "errorCode": call.error_code or "",
        "errorMessage": call.error_message or "",
    }


def _parameters(call: CallRecord) -> Mapping[str, str]:
    extras = {"AcsHost": call.host, "AcsProduct": call.product, "RequestId": call.request_id}
    if call.caller.kind == "assumed-role":
        extras["stsTokenPrincipalName"] = call.caller.user_name.replace(":", "/", 1)
    return {**call.parameters, **extras}


def _identity(caller: Caller) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "type": caller.kind,
        "accountId": caller.account_id,
        "principalId": caller.principal_id,
        "accessKeyId": caller.access_key_id,
        "userName": caller.user_name,
    }
    if caller.session_created is not None:
        identity["sessionContext"] = {
            "attributes": {
                "creationDate": _utc(caller.session_created),
                "mfaAuthenticated": "false",
            }
        }
    return identity


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
