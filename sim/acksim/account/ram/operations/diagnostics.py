"""The row about refusals."""

from typing import Annotated, Any

from pydantic import Field

from acksim.account.ram.operations.rows import Row, row
from acksim.account.ram.ram import Ram
from alibaba_edge.fields import WireRequest
from alibaba_edge.gateway.product import Call, Resource


class DecodeDiagnosticMessageRequest(WireRequest):
    encoded_diagnostic_message: Annotated[str, Field(min_length=1)]


def about_account(call: Call, _request: DecodeDiagnosticMessageRequest) -> tuple[Resource, ...]:
    return (Resource(f"acs:ram::{call.caller.account_id}:*", "ACS::RAM::Account", ""),)


async def decode_diagnostic_message(
    ram: Ram, request: DecodeDiagnosticMessageRequest, call: Call
) -> dict[str, Any]:
    message = request.encoded_diagnostic_message
    decoded = await ram.diagnostics.decode(call.caller.account_id, message)
    return {"DecodedDiagnosticMessage": decoded}


ROWS: tuple[Row, ...] = (
    row(
        DecodeDiagnosticMessageRequest,
        about_account,
        decode_diagnostic_message,
        name="DecodeDiagnosticMessage",
        access="Read",
    ),
)
