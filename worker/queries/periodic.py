"""The last run of each periodic task, written down by the task itself."""

from sqlalchemy import Connection, text

from worker.states import PeriodicTask

_STARTED = text("""
    insert into periodic_task (name, started_at) values (:name, clock_timestamp())
    on conflict (name) do update set started_at = excluded.started_at""")
_SUCCEEDED = text("""
    update periodic_task set succeeded_at = clock_timestamp(), error = null, handled = handled + :handled
    where name = :name""")
_FAILED = text("update periodic_task set failed_at = clock_timestamp(), error = left(:error, 500) where name = :name")


def note_start(connection: Connection, task: PeriodicTask) -> None:
    """It runs."""
    connection.execute(_STARTED, {"name": task})


def note_success(connection: Connection, task: PeriodicTask, handled: int) -> None:
    """It is done, and has handled so many things."""
    connection.execute(_SUCCEEDED, {"name": task, "handled": handled})


def note_failure(connection: Connection, task: PeriodicTask, error: str) -> None:
    """It ended with an error."""
    connection.execute(_FAILED, {"name": task, "error": error})
