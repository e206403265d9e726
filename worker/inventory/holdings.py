"""What projects hold, since when, and by which batch."""

from typing import Any, Final

from sqlalchemy import RowMapping

from worker.cursors import decode_cursor, encode_cursor
from worker.errors import NotFound
from worker.intake import normalise
from worker.principal import Principal
from worker.queries import holdings
from worker.runtime import Runtime
from worker.states import Reason
from worker.times import rfc3339

_APART: Final = frozenset({"key", "subscription_state", "activate_at", "starts_at", "ends_at"})


def project_devices(
    runtime: Runtime, principal: Principal, project_id: str, limit: int, cursor: str | None
) -> dict[str, Any]:
    """One page of the devices that a project holds.

    Raises:
        NotFound: the caller sees no such project.
        Invalid: the cursor is of another list.
    """
    (after,) = decode_cursor(cursor, [int]) if cursor else (0,)
    with runtime.transaction() as connection:
        project = holdings.find_project(connection, principal.organization_key, project_id)
        if project is None or not principal.sees_project(project):
            raise NotFound(f"There is no project {project_id}.")
        rows = holdings.fetch_held(connection, project, after, limit + 1)
    more = len(rows) > limit
    items = [_held(row) for row in rows[:limit]]
    for item in items:
        del item["project_id"]
    return {"items": items, "next_cursor": encode_cursor(rows[limit - 1]["key"]) if more else None}


def device(runtime: Runtime, principal: Principal, device_id: str) -> dict[str, Any]:
    """One device that a project visible to the caller holds.

    Raises:
        NotFound: there is no such device, or it is held elsewhere, or by nobody.
    """
    compared = normalise(device_id)
    found = None
    if not isinstance(compared, Reason):
        with runtime.transaction() as connection:
            found = holdings.find_held(connection, principal.organization_key, principal.visible_projects, compared)
    if found is None:
        raise NotFound("None of your projects holds such a device.")
    return _held(found)


def _held(row: RowMapping) -> dict[str, Any]:
    document = {name: value for name, value in row.items() if name not in _APART}
    return {**document, "claimed_at": rfc3339(row["claimed_at"]), "subscription": _subscription(row)}


def _subscription(row: RowMapping) -> dict[str, Any]:
    return {
        "state": row["subscription_state"],
        "prepaid_months": row["prepaid_months"],
        "activate_at": rfc3339(row["activate_at"]),
        "starts_at": rfc3339(row["starts_at"]),
        "ends_at": rfc3339(row["ends_at"]),
    }
