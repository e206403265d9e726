"""How each periodic task stands: its last run, what it has to catch up with, whether it is late."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from worker.operations.periodic import INTERVALS, is_paused
from worker.queries import backlogs, periodic
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import PeriodicTask

COUNTED: Final = 100_000
_LONGEST_LAG: Final = timedelta(minutes=10)
_GRACE: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Standing:
    """One task; the counted things that are due, and the age of the oldest in seconds."""

    last_run: datetime | None
    last_success: datetime | None
    last_success_seconds: float | None
    handled: int
    backlog: int
    lag_seconds: float
    late: bool
    error: str | None

    def document(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def read_standings(connection: Connection, settings: Settings, most: int = COUNTED) -> dict[PeriodicTask, Standing]:
    """Every task, its backlog counted up to `most`. While they are paused, none is late."""
    runs, in_use = periodic.fetch_runs(connection), periodic.time_in_use(connection)
    keep = {"keep_inputs": settings.keep_inputs, "keep_results": settings.keep_results}
    keep["keep_deliveries"] = settings.keep_deliveries
    found = {
        task: _standing(task, run, backlogs.measure_backlog(connection, task, keep, most), in_use)
        for task, run in runs.items()
    }
    if is_paused(connection):
        return {task: replace(standing, late=False) for task, standing in found.items()}
    return found


def late_tasks(runtime: Runtime) -> list[PeriodicTask]:
    """The tasks that have not run well for three intervals and a minute, or have let something wait for longer.

    Ten minutes are granted to whatever is due.
    """
    with runtime.transaction() as connection:
        found = read_standings(connection, runtime.settings, most=1)
    return [task for task, standing in found.items() if standing.late]


def _standing(task: PeriodicTask, run: periodic.Run, backlog: backlogs.Backlog, in_use: timedelta) -> Standing:
    longest = 3 * INTERVALS[task] + _GRACE
    idle = in_use if run.success_age is None else run.success_age
    return Standing(
        last_run=run.started_at,
        last_success=run.succeeded_at,
        last_success_seconds=None if run.success_age is None else run.success_age.total_seconds(),
        handled=run.handled,
        backlog=backlog.things,
        lag_seconds=backlog.lag.total_seconds(),
        late=idle > longest or backlog.lag > max(longest, _LONGEST_LAG),
        error=run.error,
    )
