"""A product is a table of operations; an operation is a row that says everything about itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from alibaba_edge.errors import (
    ApiError,
    InvalidParameterError,
    MissingParameterError,
    NotBuiltError,
)
from alibaba_edge.gateway.throttle import Throttle
from alibaba_edge.ports import Access, Caller, Decision

ServiceT = TypeVar("ServiceT")
RequestT = TypeVar("RequestT", bound=BaseModel)
SubjectT = TypeVar("SubjectT")

Style = Literal["RPC", "ROA"]
"""Whether a row is named by its Action, or by the method and path of the request."""

Fields = dict[str, Any] | list[Any] | None
"""What a call answers. RPC: an object, to which the gateway adds RequestId; ROA: the body."""

Wording = tuple[str, str] | Callable[[ApiError], ApiError]
"""Another code and message, or what makes them where the message says what was refused."""


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation may know about the call it serves.

    `time` is on the simulated clock; `secure`: it came by TLS.
    """

    request_id: str
    time: datetime
    caller: Caller
    region: str
    source_ip: str
    host: str
    user_agent: str
    secure: bool = False

    @property
    def conditions(self) -> dict[str, str]:
        """The condition keys that any policy may ask about. Nobody here signs in with MFA."""
        return {
            "acs:SourceIp": self.source_ip,
            "acs:CurrentTime": f"{self.time.isoformat()[:19]}Z",
            "acs:SecureTransport": "true" if self.secure else "false",
            "acs:MFAPresent": "false",
        }


class ResourcePolicy(Protocol):
    """A policy that hangs on a resource and may let in callers of other accounts."""

    @property
    def owner(self) -> str:
        """The account id of the resource."""

    def decide(self, caller: Caller, action: str, /, *, context: Mapping[str, str]) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Resource:
    """Something a permission is about, in RAM's and ActionTrail's words.

    `action` stands in for the RAM action of the operation where that differs by resource.
    `conditions` are condition keys of its own, such as its tags.
    """

    arn: str
    type: str
    name: str
    action: str | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)
    policy: ResourcePolicy | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[SubjectT]):
    """What a call is about. Every resource must be permitted; the first one is recorded.

    `price_class`: what a billable call on it is priced as.
    """

    subject: SubjectT
    resources: tuple[Resource, ...] = ()
    key_id: str | None = None
    price_class: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an ROA operation lives: `PUT /clusters/{cluster_id}/kms`."""

    method: str
    path: str


class Secret:
    """Marks a field of a request model (with Annotated) that no record may show."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[ServiceT, RequestT, SubjectT]):
    """One Action.

    `find` looks up what the call is about, then its resources are authorized for `ram_action`
    (None: open to every caller), then `run` answers the response fields without RequestId.
    `billable` names the billing item of a success. Both functions raise ApiError. `route` and
    `success`, the HTTP status, are for products of the style ROA.
    """

    name: str
    request: type[RequestT]
    access: Access
    find: Callable[[ServiceT, Call, RequestT], Awaitable[Found[SubjectT]]]
    run: Callable[[ServiceT, RequestT, SubjectT], Awaitable[Fields]]
    ram_action: str | None
    billable: str | None = None
    built: bool = True
    route: Route | None = None
    success: int = 200

    def parse(self, parameters: Mapping[str, Any]) -> RequestT:
        """Raises MissingParameterError or InvalidParameterError, naming the parameter."""
        try:
            return self.request.model_validate(parameters)
        except ValidationError as error:
            place = error.errors(include_url=False, include_context=False)[0]["loc"]
            name = str(place[0])
            listed = any(given.startswith(f"{name}.") for given in parameters)  # Name.1, Name.2
            if not listed and not parameters.get(name):
                raise MissingParameterError(name) from None
            raise InvalidParameterError(name) from None

    def recordable(self) -> frozenset[str]:
        """The parameters an audit record may show: known to the model and not secret."""
        return frozenset(
            field.alias or name
            for name, field in self.request.model_fields.items()
            if not any(isinstance(mark, Secret) for mark in field.metadata)
        )


class NoParameters(BaseModel):
    """The request of an operation that takes none, or is not built."""


async def find_nothing(_service: Any, _call: Call, _request: BaseModel) -> Found[None]:
    return Found(None)


def not_built(name: str, access: Access) -> Operation[Any, Any, Any]:
    """A row that says so."""

    async def refuse(_service: Any, _request: BaseModel, _subject: None) -> dict[str, Any]:
        raise NotBuiltError(name)

    return Operation(name, NoParameters, access, find_nothing, refuse, ram_action=None, built=False)


@dataclass(frozen=True, slots=True)
class Product:
    """One API version of one cloud product.

    `service` is handed to every operation. `statuses` gives the HTTP status of the product's own
    error codes (400 where it says nothing). `wording` maps the gateway's error codes to the
    product's own code and message, for products that word them differently. `throttle` counts the
    calls of each account.
    """

    name: str
    version: str
    operations: tuple[Operation[Any, Any, Any], ...]
    service: Any = field(repr=False)
    statuses: Mapping[str, int] = field(default_factory=dict)
    wording: Mapping[str, Wording] = field(default_factory=dict)
    throttle: Throttle | None = None
    style: Style = "RPC"
