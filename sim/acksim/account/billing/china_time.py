"""Days and months as bills count them: from midnight to midnight of China Standard Time."""

from datetime import UTC, date, datetime, timedelta

HOUR = 3600
DAY = 24 * HOUR
_OFFSET_HOURS = 8
_CHINA = timedelta(hours=_OFFSET_HOURS)
_EPOCH = date(1970, 1, 1)


def day_of(moment: datetime) -> int:
    """Days since 1970."""
    return ((moment.astimezone(UTC) + _CHINA).date() - _EPOCH).days


def day_of_hour(hour: int) -> int:
    """The day of an hour that is counted since 1970 in UTC."""
    return (hour + _OFFSET_HOURS) // 24


def first_hour(day: int) -> int:
    """Its first hour, counted since 1970 in UTC."""
    return day * 24 - _OFFSET_HOURS


def midnight(day: int) -> float:
    """When it begins, as Unix time."""
    return first_hour(day) * float(HOUR)


def date_of(day: int) -> date:
    return _EPOCH + timedelta(days=day)


def day_of_date(value: date) -> int:
    return (value - _EPOCH).days


def month_of(day: int) -> int:
    """Such as 202601."""
    found = date_of(day)
    return found.year * 100 + found.month


def month_end(day: int) -> int:
    """The first day of the month after it."""
    following = (date_of(day).replace(day=1) + timedelta(days=32)).replace(day=1)
    return day_of_date(following)


def text_of(time: float) -> str:
    """As bills write it, without a zone."""
    return f"{datetime.fromtimestamp(time, UTC) + _CHINA:%Y-%m-%d %H:%M:%S}"
