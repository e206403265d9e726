"""Calendar months: the database's arithmetic held against dateutil and the time zones of Python."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from worker.runtime import Runtime

# Both sides of Greenwich and of the equator, half hours of summer time, and none at all.
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]
END = text("select period_end(:start, :months, :zone)")

seconds = st.integers(946_684_800, 2_082_758_400)  # from 2000 to 2035
moments = seconds.map(lambda second: datetime.fromtimestamp(second, UTC))
months = st.integers(1, 120)
zones = st.sampled_from(ZONES)
often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def connection(runtime: Runtime) -> Iterator[Connection]:
    """One transaction for all examples."""
    with runtime.transaction() as connection:
        yield connection


def end_of(connection: Connection, start: datetime, months: int, zone: str) -> datetime:
    found: datetime = connection.execute(END, {"start": start, "months": months, "zone": zone}).scalar_one()
    return found.astimezone(UTC)


def expected(start: datetime, months: int, zone: str) -> datetime:
    """The same by dateutil, on the wall clock; a time that comes twice, or never, is read as standard time."""
    local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + relativedelta(months=months)
    readings = [local.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1)]
    return min(readings, key=lambda reading: reading.utcoffset() or timedelta(0)).astimezone(UTC)


@often
@given(moments, months, zones)
@example(datetime(2024, 1, 31, 12, tzinfo=UTC), 1, "UTC")
@example(datetime(2024, 2, 29, 12, tzinfo=UTC), 12, "UTC")
@example(datetime(2026, 1, 29, 1, 30, tzinfo=UTC), 2, "Europe/Berlin")
@example(datetime(2026, 9, 25, 0, 30, tzinfo=UTC), 1, "Europe/Berlin")
@example(datetime(2026, 2, 8, 7, 30, tzinfo=UTC), 1, "America/New_York")
def test_the_end_is_that_of_the_calendar(connection: Connection, start: datetime, months: int, zone: str) -> None:
    assert end_of(connection, start, months, zone) == expected(start, months, zone)


@often
@given(moments, months, zones)
def test_the_end_has_the_same_day_of_the_month_or_the_last_one(
    connection: Connection, start: datetime, months: int, zone: str
) -> None:
    begins, ends = start.astimezone(ZoneInfo(zone)), end_of(connection, start, months, zone).astimezone(ZoneInfo(zone))
    assert (ends.year * 12 + ends.month) - (begins.year * 12 + begins.month) == months
    is_last = (ends + timedelta(days=1)).month != ends.month
    assert ends.day == begins.day or (is_last and ends.day < begins.day)


@often
@given(moments, months, zones, st.integers(0, 400), st.integers(0, 3))
def test_who_starts_later_or_for_longer_never_ends_earlier(
    connection: Connection, start: datetime, months: int, zone: str, days: int, more: int
) -> None:
    ends = end_of(connection, start, months, zone)
    assert ends > start
    assert end_of(connection, start + timedelta(days=days), months, zone) >= ends
    assert (end_of(connection, start, months + more, zone) > ends) == (more > 0)


@often
@given(moments, months, months, zones)
def test_months_add_up_unless_a_day_or_an_hour_is_missing_in_between(
    connection: Connection, start: datetime, first: int, second: int, zone: str
) -> None:
    between = end_of(connection, start, first, zone)
    local, passed = (moment.astimezone(ZoneInfo(zone)) for moment in (start, between))
    if (local.day, local.time()) != (passed.day, passed.time()):
        return
    assert end_of(connection, between, second, zone) == end_of(connection, start, first + second, zone)
