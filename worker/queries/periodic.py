"""The turns of periodic tasks, and the last run of each, written down by the task itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from worker.states import PeriodicTask

_LOCK = "hashtextextended('claimd ' || :name, place)"
_TAKE_TURN = text(f"select place from generate_series(1, :places) as place where pg_try_advisory_lock({_LOCK}) limit 1")
_END_TURN = text("select pg_advisory_unlock_all()")
_END_OVERDUE = text(f"""
    select pg_terminate_backend(held.pid) from pg_locks held, generate_series(1, :places) as place
    where held.locktype = 'advisory' and held.granted and held.objsubid = 1
      and held.database = (select oid from pg_database where datname = current_database())
      and (held.classid::bigint << 32 | held.objid::bigint) = {_LOCK}
      and exists (select from periodic_task where name = :name and started_at < clock_timestamp() - :patience)""")
_WANT = text("update periodic_task set wanted_at = clock_timestamp() where name = :name")
_IS_WANTED = text("select exists (select from periodic_task where name = :name and wanted_at >= started_at)")

_STARTED = text("""
    insert into periodic_task (name, started_at) values (:name, clock_timestamp())
    on conflict (name) do update set started_at = excluded.started_at""")
_SUCCEEDED = text("""
    update periodic_task set succeeded_at = clock_timestamp(), error = null, handled = handled + :handled
    where name = :name""")
_FAILED = text("update periodic_task set failed_at = clock_timestamp(), error = left(:error, 500) where name = :name")
_RUNS = text("""
    select name, started_at, succeeded_at, clock_timestamp() - succeeded_at as success_age, error, handled
    from periodic_task""")
_IN_USE = text("select clock_timestamp() - min(created_at) from organization")


@dataclass(frozen=True)
class Run:
    """What a task has noted of its runs: the last start, the last success and its age, all things handled."""

    started_at: datetime | None = None
    succeeded_at: datetime | None = None
    success_age: timedelta | None = None
    error: str | None = None
    handled: int = 0


def take_turn(connection: Connection, task: PeriodicTask, places: int) -> bool:
    """Whether fewer than `places` others are at the task; it is this session's until `end_turn`, or its own end."""
    return connection.execute(_TAKE_TURN, {"name": task, "places": places}).first() is not None


def end_turn(connection: Connection) -> None:
    """Let the next one."""
    connection.execute(_END_TURN)


def end_overdue_turns(connection: Connection, task: PeriodicTask, places: int, patience: timedelta) -> None:
    """Where the task last began longer than `patience` ago, end the sessions that are at it: their processes hang."""
    connection.execute(_END_OVERDUE, {"name": task, "places": places, "patience": patience})


def want_another(connection: Connection, task: PeriodicTask) -> None:
    """Leave word for those who are at the task that there may be more for it to do than they have seen."""
    connection.execute(_WANT, {"name": task})


def is_another_wanted(connection: Connection, task: PeriodicTask) -> bool:
    """Whether such word was left since the last start."""
    return bool(connection.execute(_IS_WANTED, {"name": task}).scalar_one())


def note_start(connection: Connection, task: PeriodicTask) -> None:
    """It runs."""
    connection.execute(_STARTED, {"name": task})


def note_success(connection: Connection, task: PeriodicTask, handled: int) -> None:
    """It is done, and has handled so many things."""
    connection.execute(_SUCCEEDED, {"name": task, "handled": handled})


def note_failure(connection: Connection, task: PeriodicTask, error: str) -> None:
    """It ended with an error."""
    connection.execute(_FAILED, {"name": task, "error": error})


def fetch_runs(connection: Connection) -> dict[PeriodicTask, Run]:
    """What is noted of each task; one that has never run has noted nothing."""
    noted = {row.name: Run(*row[1:]) for row in connection.execute(_RUNS)}
    return {task: noted.get(task.value, Run()) for task in PeriodicTask}


def time_in_use(connection: Connection) -> timedelta:
    """For how long there has been an organization: before that, nothing is expected of any task."""
    return connection.execute(_IN_USE).scalar_one() or timedelta(0)
