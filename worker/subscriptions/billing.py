"""What an organization's prepaid time adds up to, and device by device."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from io import StringIO
from typing import Any, Final

from sqlalchemy import Connection, Row, RowMapping

from worker.cursors import decode_cursor, encode_cursor
from worker.errors import Invalid, NotFound
from worker.intake import escape_formula
from worker.principal import Principal
from worker.queries import billing
from worker.queries.billing import Wanted
from worker.runtime import Runtime
from worker.states import SubscriptionState
from worker.times import rfc3339

_TIMES: Final = ("claimed_at", "activate_at", "starts_at", "ends_at")
COLUMNS: Final = ("device_id", "project_id", "batch_id", "state", "prepaid_months", *_TIMES)
# Lines of one short transaction.
_WINDOW: Final = 5_000


@dataclass(frozen=True)
class Filters:
    """Which devices of an organization: of one project, in one state, ending before a moment."""

    project_id: str | None = None
    state: SubscriptionState | None = None
    ends_before: datetime | None = None


@dataclass
class _Counts:
    """Devices by state and by month: `starts` and `ends` of what has started, `planned` of what is going to."""

    states: Counter[str] = field(default_factory=Counter)
    planned: Counter[str] = field(default_factory=Counter)
    starts: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row[Any]) -> None:
        self.states[row.state] += row.devices
        begins = self.planned if row.state == SubscriptionState.SCHEDULED else self.starts
        begins.update(_month(row.starts, row.devices))
        self.ends.update(_month(row.ends, row.devices))

    def document(self) -> dict[str, Any]:
        return {
            "states": {state: self.states[state] for state in SubscriptionState if state != SubscriptionState.DORMANT},
            "planned": dict(sorted(self.planned.items())),
            "starts": dict(sorted(self.starts.items())),
            "ends": dict(sorted(self.ends.items())),
        }


def subscription_counts(runtime: Runtime, principal: Principal, organization_id: str) -> dict[str, Any]:
    """How many devices are in which state, and in which months they start and end: in all, and by project.

    Months are those of the organization's time zone, of projects that the principal sees.

    Raises:
        NotFound: it is not the principal's organization.
    """
    _require_own(principal, organization_id)
    with runtime.transaction() as connection:
        clock = billing.read_clock(connection, principal.organization_key)
        projects = billing.fetch_projects(connection, principal.organization_key, principal.visible_projects)
        rows = billing.count_subscriptions(connection, [each.key for each in projects], clock.time_zone)
    found = {each.key: _Counts() for each in projects}
    total = _Counts()
    for row in rows:
        total.add(row)
        found[row.project_key].add(row)
    return {
        "organization_id": organization_id,
        "time_zone": clock.time_zone,
        "at": rfc3339(clock.at),
        **total.document(),
        "projects": [
            {"project_id": each.project_id, "name": each.name, **found[each.key].document()} for each in projects
        ],
    }


def subscription_page(
    runtime: Runtime, principal: Principal, organization_id: str, filters: Filters, limit: int, cursor: str | None
) -> dict[str, Any]:
    """One page of the organization's devices with their prepaid time.

    Raises:
        NotFound: it is not the principal's organization, or it sees no such project.
        Invalid: the cursor is of another list, or the moment has no time zone.
    """
    _require_own(principal, organization_id)
    project, device = decode_cursor(cursor, [int, int]) if cursor else (0, 0)
    with runtime.transaction() as connection:
        wanted = _wanted(connection, principal, filters)
        rows = billing.fetch_subscriptions(connection, replace(wanted, after=(project, device)), limit + 1)
    more = len(rows) > limit
    return {
        "items": [_item(row) for row in rows[:limit]],
        "next_cursor": encode_cursor(*_place(rows[limit - 1])) if more else None,
    }


def subscriptions_csv(
    runtime: Runtime, principal: Principal, organization_id: str, filters: Filters
) -> Iterator[bytes]:
    """The same for all devices as CSV, piece by piece.

    Raises:
        NotFound: it is not the principal's organization, or it sees no such project.
        Invalid: the moment has no time zone.
    """
    _require_own(principal, organization_id)
    with runtime.transaction() as connection:
        wanted = _wanted(connection, principal, filters)
    return _stream(runtime, wanted)


def _stream(runtime: Runtime, wanted: Wanted) -> Iterator[bytes]:
    yield _lines([COLUMNS])
    while True:
        with runtime.transaction() as connection:
            rows = billing.fetch_subscriptions(connection, wanted, _WINDOW)
        yield _lines(_cells(_item(row)) for row in rows)
        if len(rows) < _WINDOW:
            return
        wanted = replace(wanted, after=_place(rows[-1]))


def _wanted(connection: Connection, principal: Principal, filters: Filters) -> Wanted:
    if filters.ends_before is not None and filters.ends_before.tzinfo is None:
        raise Invalid("`ends_before` needs a time zone, as in 2026-11-21T00:00:00Z.", parameter="ends_before")
    visible = principal.visible_projects
    projects = billing.fetch_projects(connection, principal.organization_key, visible, filters.project_id)
    if filters.project_id is not None and not projects:
        raise NotFound(f"There is no project {filters.project_id}.")
    return Wanted([each.key for each in projects], state=filters.state, ends_before=filters.ends_before)


def _require_own(principal: Principal, organization_id: str) -> None:
    if organization_id != principal.organization_id:
        raise NotFound(f"There is no organization {organization_id}.")


def _month(first_day: date | None, devices: int) -> dict[str, int]:
    return {} if first_day is None else {f"{first_day:%Y-%m}": devices}


def _place(row: RowMapping) -> tuple[int, int]:
    return row["project_key"], row["device_key"]


def _item(row: RowMapping) -> dict[str, Any]:
    return {name: rfc3339(row[name]) if name in _TIMES else row[name] for name in COLUMNS}


def _cells(item: Mapping[str, Any]) -> Sequence[str]:
    return ["" if item[name] is None else escape_formula(str(item[name])) for name in COLUMNS]


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
