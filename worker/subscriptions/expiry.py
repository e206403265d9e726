"""The end of prepaid time, and the reminders before it."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, Row

from worker.queries import events, subscriptions
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import EventType, PeriodicTask
from worker.subscriptions.chunks import Chunk, run_in_chunks
from worker.times import rfc3339

# Days before the end, and the reminder that came before (0: none): each is sent once, and none is left out.
REMINDERS: Final[Mapping[int, int]] = MappingProxyType({30: 0, 7: 30, 1: 7})


def expire_due(runtime: Runtime) -> int:
    """End every subscription whose time is over; returns how many.

    Safe in any number of processes at once, and however late.
    """
    return run_in_chunks(runtime, PeriodicTask.EXPIRE, _expire)


def remind(runtime: Runtime) -> int:
    """Tell of subscriptions that end in 30, 7 and 1 days of 24 hours; returns how many were told of.

    Each step is told once, also if it is late; what has ended already is not told any more.
    Safe in any number of processes at once.
    """
    return sum(
        run_in_chunks(runtime, PeriodicTask.REMIND, partial(_remind, runtime.settings, before, days))
        for days, before in REMINDERS.items()
    )


def _expire(connection: Connection, size: int) -> Chunk | None:
    expired = subscriptions.expire(connection, size)
    return Chunk(expired) if expired else None


def _remind(settings: Settings, before: int, days: int, connection: Connection, size: int) -> Chunk | None:
    projects = subscriptions.remind(connection, before, days, size)
    if not projects:
        return None
    deliveries = sum(_tell(connection, settings, days, project) for project in projects)
    return Chunk(sum(project.devices for project in projects), deliveries)


def _tell(connection: Connection, settings: Settings, days: int, project: Row[Any]) -> int:
    return events.emit_event(
        connection,
        project.organization_key,
        EventType.SUBSCRIPTIONS_EXPIRING,
        _data(days, project),
        settings.delivery_lifetime,
        project=project.project_key,
    )


def _data(days: int, project: Row[Any]) -> dict[str, Any]:
    device_ids: Sequence[str] = project.device_ids  # of a hundred at most; `count` counts all
    return {
        "project_id": project.project_id,
        "days": days,
        "count": project.devices,
        "ends_from": rfc3339(project.ends_from),
        "ends_to": rfc3339(project.ends_to),
        "device_ids": device_ids,
    }
