"""The digests of an organization, as those who see all of it read them."""

from datetime import date
from typing import Any

from sqlalchemy import RowMapping

from worker.cursors import decode_cursor, encode_cursor
from worker.digests.content import digest_path
from worker.errors import Invalid, NotFound
from worker.principal import Principal
from worker.queries import digests
from worker.runtime import Runtime


def list_digests(
    runtime: Runtime, principal: Principal, organization_id: str, limit: int, cursor: str | None
) -> dict[str, Any]:
    """One page of digests by their totals, the newest first.

    Raises:
        NotFound: the caller sees no such organization.
        Forbidden: the token sees only some of its projects.
        Invalid: the cursor is of another list.
    """
    principal.require_organization(organization_id)
    before = _day_of(cursor) if cursor else None
    with runtime.reading() as connection:
        rows = digests.list_digests(connection, principal.organization_key, before, limit + 1)
    next_cursor = encode_cursor(rows[limit - 1]["day"].isoformat()) if len(rows) > limit else None
    return {"items": [_summary(organization_id, row) for row in rows[:limit]], "next_cursor": next_cursor}


def get_digest(runtime: Runtime, principal: Principal, organization_id: str, day: date) -> dict[str, Any]:
    """The digest of one day, by the organization's calendar.

    Raises:
        NotFound: the caller sees no such organization, or it has no digest for this day.
        Forbidden: the token sees only some of its projects.
    """
    principal.require_organization(organization_id)
    with runtime.reading() as connection:
        found = digests.find_digest(connection, principal.organization_key, day)
    if found is None:
        raise NotFound(f"There is no digest for {day}.")
    return found


def _summary(organization_id: str, row: RowMapping) -> dict[str, Any]:
    data = row["data"]
    path = digest_path(organization_id, data["date"])
    return {name: data[name] for name in ("date", "since", "until", "totals")} | {"links": {"self": path}}


def _day_of(cursor: str) -> date:
    (day,) = decode_cursor(cursor, [str])
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise Invalid("The cursor is not one that this list gave out.", parameter="cursor") from error
