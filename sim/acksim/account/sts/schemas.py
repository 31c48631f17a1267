"""AssumeRole on the wire."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict

from acksim.account.ram.documents import policy_document
from acksim.account.ram.errors import MalformedPolicyError
from acksim.account.sts.errors import (
    MissingError,
    PolicyGrammarError,
    PolicySizeError,
    WronglyFormedError,
)
from alibaba_edge.fields import WireRequest

SHORTEST = 900
_DEFAULT_DURATION = 3600
_POLICY_LIMIT = 2048
_SECONDS = re.compile(r"[0-9]{1,9}")
_ROLE_ARN = re.compile(r"acs:ram::([0-9]{16}):role/([A-Za-z0-9.-]{1,64})")
_SESSION = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_SOURCE_IDENTITY = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def _formed(parameter: str, form: re.Pattern[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text and not form.fullmatch(text):
            raise WronglyFormedError(parameter)
        return text

    return check


def _required(parameter: str, form: re.Pattern[str]) -> Callable[[str], str]:
    formed = _formed(parameter, form)

    def check(text: str) -> str:
        if not text:
            raise MissingError(parameter)
        return formed(text)

    return check


def _seconds(text: Any) -> int:
    if not text:
        return _DEFAULT_DURATION
    if not _SECONDS.fullmatch(text):
        raise WronglyFormedError("DurationSeconds")
    return int(text)


def _policy(text: str) -> str:
    if len(text) > _POLICY_LIMIT:
        raise PolicySizeError(_POLICY_LIMIT)
    if text:
        try:
            policy_document(text)
        except MalformedPolicyError:
            raise PolicyGrammarError from None
    return text


class AssumeRoleRequest(WireRequest):
    """An empty parameter counts as not sent. Whether a role grants the time is its business."""

    model_config = ConfigDict(validate_default=True)

    role_arn: Annotated[str, AfterValidator(_required("RoleArn", _ROLE_ARN))] = ""
    role_session_name: Annotated[str, AfterValidator(_required("RoleSessionName", _SESSION))] = ""
    duration_seconds: Annotated[int, BeforeValidator(_seconds)] = 0
    policy: Annotated[str, AfterValidator(_policy)] = ""
    external_id: Annotated[str, AfterValidator(_formed("ExternalId", _EXTERNAL_ID))] = ""
    source_identity: Annotated[str, AfterValidator(_formed("SourceIdentity", _SOURCE_IDENTITY))] = (
        ""
    )

    @property
    def role(self) -> tuple[str, str]:
        """Its account's id and its name."""
        found = _ROLE_ARN.fullmatch(self.role_arn)
        if found is None:
            raise WronglyFormedError("RoleArn")
        return found[1], found[2]
