"""The gateway: one ASGI application in front of every product's table of operations.

A request is read once, as a claim. The call that it claims is attributed, looked up, parsed,
authorized, run, recorded once and answered, in this order. A call that cannot be attributed to an
account is answered and not recorded: there is nobody whose trail or bill it belongs on, and a
stranger must not be able to fill either.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from uuid import uuid4

from alibaba_edge.errors import (
    ActionNotFoundError,
    ApiError,
    ClientGoneError,
    InternalFailureError,
    MethodUnsupportedError,
    RegionUnknownError,
    VersionUnknownError,
)
from alibaba_edge.gateway.authentication import Authenticator
from alibaba_edge.gateway.authorization import Permissions
from alibaba_edge.gateway.claim import Claim, read_claim
from alibaba_edge.gateway.dispatch import (
    Address,
    OperationTable,
    as_text,
    methods_of,
    roa_parameters,
)
from alibaba_edge.gateway.metrics import OK, UNKNOWN, CallMetrics
from alibaba_edge.gateway.product import Call, Fields, Found, Product
from alibaba_edge.gateway.rendering import (
    Answer,
    failure,
    plain_success,
    status_of,
    success,
    worded,
)
from alibaba_edge.ports import CallLog, CallRecord, Clock, Standing
from alibaba_edge.regions import region_of
from alibaba_edge.request import Receive, Scope, Send, Sender, headers_of, read_request

logger = logging.getLogger(__name__)

_OK = 200
_RECORDED_NAME = 128
_RECORDED_VALUE = 8192


@dataclass(slots=True)
class _Exchange:
    """One request on its way to an answer. `call` is set once it has an account to belong to."""

    claim: Claim
    sender: Sender
    request_id: str
    parameters: Mapping[str, Any]
    address: Address
    call: Call | None = None
    found: Found[Any] | None = None
    fields: Fields = None
    error: ApiError | None = None

    @property
    def status(self) -> int:
        if self.error is not None:
            return status_of(self.error, self.address.product)
        return self.address.operation.success if self.address.operation else _OK


class Gateway:
    """ASGI application for products of both styles."""

    def __init__(  # noqa: PLR0913 - every port once
        self,
        products: Iterable[Product],
        *,
        authenticator: Authenticator,
        standing: Standing,
        permissions: Permissions,
        call_log: CallLog,
        now: Clock,
        default_region: str,
    ) -> None:
        self._table = OperationTable(products)
        self._authenticator = authenticator
        self._standing = standing
        self._permissions = permissions
        self._call_log = call_log
        self._now = now
        self._default_region = default_region
        self.metrics = CallMetrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        request_id = str(uuid4())
        try:
            request = await read_request(scope, receive)
            claim = read_claim(request)
        except ClientGoneError:
            return
        except ApiError as error:
            self.metrics.observe(UNKNOWN, error.code, 0.0)
            answer = failure(
                error,
                status=status_of(error, None),
                host=headers_of(scope).get("host", ""),
                request_id=request_id,
                xml=False,
            )
        else:
            answer = await self._answer(claim, request.sender, request_id)
        await answer.send(send, request_id)

    async def _answer(self, claim: Claim, sender: Sender, request_id: str) -> Answer:
        begin = perf_counter()
        address = self._table.find(claim)
        exchange = _Exchange(claim, sender, request_id, claim.parameters, address)
        try:
            await self._perform(exchange)
        except ApiError as error:
            exchange.error = worded(error, address.product)
        except Exception:
            logger.exception("request %s failed", request_id)
            exchange.error = InternalFailureError()
        if exchange.call is not None:
            await self._record(exchange, exchange.call)
        answer = _render(exchange)
        action = address.action if address.operation else UNKNOWN
        code = exchange.error.code if exchange.error else OK
        self.metrics.observe(action, code, perf_counter() - begin)
        return answer

    async def _perform(self, exchange: _Exchange) -> None:
        claim, sender, address = exchange.claim, exchange.sender, exchange.address
        region = region_of(claim.host, claim.region_id, default=self._default_region)
        caller = await self._authenticator.caller(claim, address.product, region)
        exchange.call = call = Call(
            request_id=exchange.request_id,
            time=self._now(),
            caller=caller,
            region=region or self._default_region,
            source_ip=sender.source_ip,
            host=sender.host,
            user_agent=sender.user_agent,
            secure=sender.secure,
        )
        product, operation = address.product, address.operation
        if claim.method not in methods_of(product):
            raise MethodUnsupportedError
        if product is None:
            raise VersionUnknownError
        if operation is None:
            raise ActionNotFoundError
        if region is None:
            raise RegionUnknownError
        await self._standing.check(caller.account_id, product.name, operation.name)
        if product.throttle is not None:
            product.throttle.take(caller.account_id, region, operation.name)
        if product.style == "ROA":
            exchange.parameters = roa_parameters(claim, address)
        service = product.service
        parsed = operation.parse(exchange.parameters)
        exchange.found = found = await operation.find(service, call, parsed)
        if operation.ram_action is not None:
            await self._permissions.require(call, operation.ram_action, found.resources)
        exchange.fields = await operation.run(service, parsed, found.subject)

    async def _record(self, exchange: _Exchange, call: Call) -> None:
        """Once per call, failed ones too, and before the client hears of it."""
        try:
            await self._call_log.record(_call_record(exchange, call))
        except Exception:
            logger.exception("request %s could not be recorded", exchange.request_id)
            exchange.error = InternalFailureError()


def _call_record(exchange: _Exchange, call: Call) -> CallRecord:
    address, found, error = exchange.address, exchange.found, exchange.error
    operation = address.operation
    resource = found.resources[0] if found and found.resources else None
    return CallRecord(
        request_id=call.request_id,
        time=call.time,
        product=address.product.name if address.product else "",
        version=address.version[:_RECORDED_NAME],
        action=address.action[:_RECORDED_NAME],
        access=operation.access if operation else "Read",
        caller=call.caller,
        region=call.region,
        source_ip=call.source_ip,
        user_agent=call.user_agent[:_RECORDED_VALUE],
        host=call.host[:_RECORDED_VALUE],
        secure=call.secure,
        # What is numbered (Tag.1.Key) is recordable by its first word.
        parameters={
            name: as_text(value)[:_RECORDED_VALUE]
            for name, value in exchange.parameters.items()
            if name.partition(".")[0] in address.recordable
        },
        http_status=exchange.status,
        resource_type=resource.type if resource else None,
        resource_name=resource.name if resource else None,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
        billable=operation.billable if operation and not error else None,
        price_class=found.price_class if found else "",
        key_id=found.key_id if found else None,
    )


def _render(exchange: _Exchange) -> Answer:
    style = exchange.address.style
    xml = style == "RPC" and exchange.parameters.get("Format", "").upper() == "XML"
    if exchange.error is not None:
        return failure(
            exchange.error,
            status=exchange.status,
            host=exchange.sender.host,
            request_id=exchange.request_id,
            xml=xml,
            both_cases=style == "ROA",
        )
    if style == "ROA":
        return plain_success(exchange.fields, status=exchange.status)
    if not isinstance(exchange.fields, dict):
        raise TypeError(f"{exchange.address.action} answered no object")
    return success(
        exchange.fields,
        action=exchange.address.action,
        request_id=exchange.request_id,
        xml=xml,
    )
