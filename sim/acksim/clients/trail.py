"""One account's ActionTrail, for commands and tests."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from acksim.clients.alibaba import ApiClient, Signer

Event = dict[str, Any]

_VERSION = "2020-07-06"
_PAGE_SIZE = 50
_ATTRIBUTES = 2  # as many as a call takes; more of them are matched here
_FIELDS = {
    "ServiceName": "serviceName",
    "EventName": "eventName",
    "ResourceName": "resourceName",
    "EventRW": "eventRW",
}
_LATE = timedelta(seconds=10)  # how long after its time an event may appear
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class TrailQuery:
    """`attributes`: LookupEvents' keys and what they must be; from the third on, those of an
    event's own fields. Times as `2026-01-02T03:04:05Z`."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    since: str | None = None
    until: str | None = None
    region: str | None = None

    def parameters(self) -> dict[str, object]:
        parameters: dict[str, object] = {"MaxResults": _PAGE_SIZE}
        for number, (key, value) in enumerate(list(self.attributes.items())[:_ATTRIBUTES], 1):
            parameters[f"LookupAttribute.{number}.Key"] = key
            parameters[f"LookupAttribute.{number}.Value"] = value
        named = {"StartTime": self.since, "EndTime": self.until, "RegionId": self.region}
        return parameters | {name: value for name, value in named.items() if value}

    def matches(self, event: Event) -> bool:
        """What the call itself could not be asked."""
        further = list(self.attributes.items())[_ATTRIBUTES:]
        return all(event[_FIELDS[key]] == value for key, value in further)


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first, matching or not, and the last second that was looked at."""

    events: tuple[Event, ...]
    end: str
    request_id: str


class TrailClient(ApiClient):
    """LookupEvents at `endpoint`, such as http://127.0.0.1:8700."""

    def __init__(self, endpoint: str, signer: Signer) -> None:
        super().__init__(endpoint, signer, version=_VERSION)

    def pages(self, query: TrailQuery) -> Iterator[Page]:
        """One or more, as they are asked for; raises ApiRefusedError."""
        parameters = query.parameters()
        while True:
            answer = self.call("LookupEvents", **parameters)
            yield Page(tuple(answer["Events"]), answer["EndTime"], answer["RequestId"])
            if "NextToken" not in answer:
                return
            parameters["NextToken"] = answer["NextToken"]

    def events(self, query: TrailQuery) -> Iterator[Event]:
        """Every event, newest first."""
        for page in self.pages(query):
            yield from filter(query.matches, page.events)


class Follower:
    """What is new in a trail, look after look, without the events of the looks themselves.

    The clock may jump between two looks, either way: what counts as new is what was not seen
    before and happened about when one of the two looks did.
    """

    def __init__(self, client: TrailClient, query: TrailQuery) -> None:
        self._client = client
        self._query = query
        self._known: OrderedDict[str, None] = OrderedDict()
        self._end: str | None = None

    def begin(self, limit: int) -> list[Event]:
        """The newest `limit` events, oldest first."""
        found: list[Event] = []
        for page in self._client.pages(self._query):
            self._end = self._end or page.end
            found += self._unseen(page)
            oldest = page.events[-1]["eventTime"] if page.events else ""
            if len(found) >= limit and oldest < _floor(self._end):
                break
        return found[:limit][::-1]

    def look(self) -> list[Event]:
        """What has happened since, oldest first."""
        fresh: list[Event] = []
        floor = None
        for page in self._client.pages(self._query):
            if floor is None:
                floor, self._end = _floor(min(page.end, self._end or page.end)), page.end
            unseen = [event for event in self._unseen(page) if event["eventTime"] >= floor]
            fresh += unseen
            if not unseen:
                break
        return fresh[::-1]

    def _unseen(self, page: Page) -> list[Event]:
        self._remember(page.request_id)
        unseen = [event for event in page.events if event["eventId"] not in self._known]
        for event in unseen:
            self._remember(event["eventId"])
        return [event for event in unseen if self._query.matches(event)]

    def _remember(self, event_id: str) -> None:
        self._known[event_id] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _floor(end: str) -> str:
    return f"{(datetime.fromisoformat(end) - _LATE).isoformat()[:19]}Z"
