"""ActionTrail: what was called, by whom, on what, and how it ended.

Events have the fields of Alibaba Cloud's "Management event structure". They never hold a
plaintext, a ciphertext or a credential: the gateway hands over redacted parameters. A row holds
what makes an event; what follows from it is added when the event is read.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from alibaba_edge.ports import Caller, CallRecord

EVENT_COLUMNS = (
    "account_id",
    "time",
    "service",
    "name",
    "user_name",
    "resource_name",
    "body",
    "region",
)
EventRow = tuple[str, float, str, str, str, str, bytes, str]

_SCHEME = "scheme"
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # not a backslash before u0000
_UNRECORDED = frozenset({("Kms", "DescribeRegions")})


def recorded(call: CallRecord) -> bool:
    """ActionTrail records every operation of KMS but one."""
    return (call.product, call.action) not in _UNRECORDED


def event_row(call: CallRecord) -> EventRow:
    """One row of the table `events`, as `EVENT_COLUMNS` say."""
    return (
        call.caller.account_id,
        call.time.timestamp(),
        call.product,
        _indexed(call.action, 64),
        call.caller.user_name,
        _indexed(call.resource_name or "", 256),
        _body(call),
        call.region,
    )


def _body(call: CallRecord) -> bytes:
    """PostgreSQL finds nothing in JSON with a NUL anywhere, so that no body has one."""
    body = orjson.dumps(_facts(call), option=_OPTIONS)
    return _NUL.sub(rb"\1\\ufffd", body) if b"\\u0000" in body else body


def _indexed(text: str, limit: int) -> str:
    """What a client may have made up, as far as its column takes it; the body has the whole."""
    return text[:limit].replace("\0", "")


def _facts(call: CallRecord) -> dict[str, Any]:
    """What is known of a call alone, under the names of the event's fields."""
    facts = {
        "requestId": call.request_id,
        "eventTime": call.time,
        "eventName": call.action,
        "eventRW": call.access,
        "serviceName": call.product,
        "apiVersion": call.version,
        "eventSource": call.host,
        "acsRegion": call.region,
        "sourceIpAddress": call.source_ip,
        "userAgent": call.user_agent,
        "userIdentity": _identity(call.caller),
        "requestParameters": call.parameters,
        "resourceType": call.resource_type or "",
        "resourceName": call.resource_name or "",
    }
    if call.error_code is not None:
        facts |= {"errorCode": call.error_code, "errorMessage": call.error_message or ""}
    if call.secure:
        facts[_SCHEME] = "https"
    return facts


def _identity(caller: Caller) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "type": caller.kind,
        "accountId": caller.account_id,
        "principalId": caller.principal_id,
        "accessKeyId": caller.access_key_id,
        "userName": caller.user_name,
    }
    if caller.session_created is not None:
        created = {"creationDate": caller.session_created, "mfaAuthenticated": "false"}
        identity["sessionContext"] = {"attributes": created}
    return identity


def event(body: bytes) -> dict[str, Any]:
    """The event as LookupEvents answers it, from the body of its row."""
    facts: dict[str, Any] = orjson.loads(body)
    scheme = facts.pop(_SCHEME, "http")
    place = {"HostId": facts["eventSource"], "RegionId": facts["acsRegion"]}
    parameters = {**place, **facts["requestParameters"], **_extras(facts)}
    kind, name = facts["resourceType"], facts["resourceName"]
    return {
        "eventId": facts["requestId"],
        "eventVersion": "1",
        "eventCategory": "Management",
        "eventType": "ApiCall",
        "errorCode": "",
        "errorMessage": "",
        **facts,
        "requestParameters": parameters,
        "requestParameterJson": orjson.dumps(parameters).decode(),
        "referencedResources": {kind: [name]} if name else {},
        "additionalEventData": {"Scheme": scheme},
        "recipientAccountId": facts["userIdentity"]["accountId"],
    }


def _extras(facts: Mapping[str, Any]) -> dict[str, str]:
    """What the cloud's gateway adds to the parameters of a call."""
    identity = facts["userIdentity"]
    extras = {
        "AcsHost": facts["eventSource"],
        "AcsProduct": facts["serviceName"],
        "RequestId": facts["requestId"],
    }
    if identity["type"] == "assumed-role":
        extras["stsTokenPrincipalName"] = identity["userName"].replace(":", "/", 1)
    return extras


def utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
