"""Rows about tasks and events."""

from acksim.ack.cs import answers, requests
from acksim.ack.cs.service import (
    Asked,
    AskedOf,
    ContainerService,
    Row,
    find_account,
    find_cluster,
    row,
)
from acksim.ack.events import EventFilter
from alibaba_edge.gateway.product import Fields, Route

_MOST_OF_A_TASK = 100


async def describe_task(
    cs: ContainerService, request: requests.TaskRequest, asked: Asked
) -> Fields:
    account_id = asked.asker.account_id
    task = await cs.tasks.get(account_id, request.task_id)
    wanted = EventFilter(account_id, task_id=task.id)
    page = await cs.events.list(wanted, start=0, limit=_MOST_OF_A_TASK)
    return answers.task(task, page.events[::-1])


async def describe_events(
    cs: ContainerService, request: requests.EventsRequest, asked: Asked
) -> Fields:
    """Of the account in every region."""
    return await _events(cs, request, asked, region="")


async def describe_events_for_region(
    cs: ContainerService, request: requests.EventsRequest, asked: Asked
) -> Fields:
    return await _events(cs, request, asked, region=request.region)


async def describe_cluster_events(
    cs: ContainerService, request: requests.ClusterEventsRequest, asked: AskedOf
) -> Fields:
    return await _events(cs, request, asked, region=asked.cluster.region)


async def _events(
    cs: ContainerService, request: requests.EventsRequest, asked: Asked, *, region: str
) -> Fields:
    wanted = EventFilter(
        asked.asker.account_id, region, request.cluster_id, request.type, request.task_id
    )
    page = await cs.events.list(wanted, start=request.start, limit=request.limit)
    following = request.start + len(page.events)
    return answers.page(
        "events",
        [answers.event(one) for one in page.events],
        number=request.page_number,
        size=request.limit,
        total=page.total,
    ) | {"next_token": str(following) if following < page.total else ""}


ROWS: tuple[Row, ...] = (
    row(
        "DescribeTaskInfo",
        Route("GET", "/tasks/{task_id}"),
        requests.TaskRequest,
        find_account,
        describe_task,
    ),
    row(
        "DescribeEvents",
        Route("GET", "/events"),
        requests.EventsRequest,
        find_account,
        describe_events,
    ),
    row(
        "DescribeClusterEvents",
        Route("GET", "/clusters/{cluster_id}/events"),
        requests.ClusterEventsRequest,
        find_cluster,
        describe_cluster_events,
    ),
    row(
        "DescribeEventsForRegion",
        Route("GET", "/regions/{region}/events"),
        requests.EventsRequest,
        find_account,
        describe_events_for_region,
    ),
)
