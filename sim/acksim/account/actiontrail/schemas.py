"""LookupEvents on the wire."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from alibaba_edge.fields import ListedRequest, optional

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_USED_ATTRIBUTES = 2
_DEFAULT_SIZE = 20
_VALUE_LIMIT = 512


def _time(text: Any) -> Any:
    if not text:
        return None
    if len(text) != len("2020-10-08T11:00:00Z"):  # strptime takes other lengths as well
        raise ValueError("not YYYY-MM-DDThh:mm:ssZ")
    moment = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    if moment < _EPOCH:  # seven days before the year 1 there is no time
        raise ValueError("before 1970")
    return moment


def _size(text: Any) -> Any:
    return _DEFAULT_SIZE if not text or text == "0" else text


Time = Annotated[datetime | None, BeforeValidator(_time)]
PageSize = Annotated[int, BeforeValidator(_size), Field(ge=1, le=50)]


class _Attribute(BaseModel):
    key: Annotated[str, Field(alias="Key", max_length=64)]
    value: Annotated[str, Field(alias="Value", max_length=_VALUE_LIMIT)]


class LookupEventsRequest(ListedRequest):
    """`MaxResults` is a text on the wire; 0 is taken for the default."""

    numbered: ClassVar[tuple[str, ...]] = ("LookupAttribute",)

    lookup_attribute: list[_Attribute] = Field(default_factory=list)
    start_time: Time = None
    end_time: Time = None
    max_results: PageSize = _DEFAULT_SIZE
    next_token: Annotated[str, StringConstraints(max_length=1024)] = ""
    direction: Annotated[Literal["FORWARD", "BACKWARD"] | None, BeforeValidator(optional)] = None

    @property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """Only the first two count; of two with one key, the second."""
        used = self.lookup_attribute[:_USED_ATTRIBUTES]
        return tuple({attribute.key: attribute.value for attribute in used}.items())

    @property
    def forward(self) -> bool:
        return self.direction == "FORWARD"


def time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)
