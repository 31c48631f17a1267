"""The part of the control API that tells why somebody may or may not."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from acksim.account.database import Database
from acksim.account.ram.explanation import explain
from alibaba_edge.ports import ROOT_ACCOUNT_ID


class PermissionQuestion(BaseModel):
    """May this user, or role/NAME, do that, and which statement says so?

    `conditions`: what the request would have, such as acs:SourceIp.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": '{"principal": "role/AliyunCSManagedSecurityRole", '
            '"action": "kms:Decrypt", "resource": "*"}'
        },
    )

    principal: str = Field(min_length=1, max_length=128)
    action: str = Field(min_length=1, max_length=128)
    resource: str = Field(min_length=1, max_length=1024)
    account_id: str = Field(default=ROOT_ACCOUNT_ID, pattern=r"^\d{16}$")
    conditions: dict[str, str] = Field(default_factory=dict)


def add_ram(app: FastAPI, database: Database, now: Callable[[], datetime]) -> None:
    @app.post("/_sim/ram/explain")
    async def explain_permission(asked: PermissionQuestion) -> dict[str, Any]:
        time = now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        context = {"acs:SourceIp": "127.0.0.1", "acs:CurrentTime": time, **asked.conditions}
        question = (asked.action, asked.resource)
        found = await explain(database, asked.account_id, asked.principal, question, context)
        return {"action": asked.action, "resource": asked.resource, **found.as_json()}
