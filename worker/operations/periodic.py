"""Periodic tasks: run one at a time, and their last run noted for operators."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from worker import crashpoints
from worker.queries import halts, periodic
from worker.runtime import Runtime
from worker.states import Halt, PeriodicTask, Queue

INTERVALS: Final[Mapping[PeriodicTask, timedelta]] = MappingProxyType(
    {
        PeriodicTask.SWEEP: timedelta(seconds=30),
        PeriodicTask.PRUNE: timedelta(minutes=5),
        PeriodicTask.ACTIVATE: timedelta(minutes=1),
        PeriodicTask.EXPIRE: timedelta(minutes=1),
        PeriodicTask.REMIND: timedelta(minutes=5),
        PeriodicTask.DELIVER: timedelta(seconds=10),
        PeriodicTask.DIGEST: timedelta(minutes=5),
        PeriodicTask.RETAIN: timedelta(minutes=10),
    }
)


# A run that waits for slow receivers takes nothing new at its end: a second one does.
_PLACES: Final[Mapping[PeriodicTask, int]] = MappingProxyType({PeriodicTask.DELIVER: 2})
# So long after its start nobody is at a task any more: its process hangs, or its machine is gone.
PATIENCE: Final = timedelta(minutes=5)


def run_periodic(runtime: Runtime, task: PeriodicTask, use_case: Callable[[Runtime], int]) -> int:
    """Carry out `use_case`, which returns how many things it has handled, and note how that went.

    Returns 0 at once while another process is at it, so that no task ever takes all processes; that one rings for
    the task again when it is done. Does nothing while everything, or the queue of these tasks, is paused.
    """
    with _turn(runtime, task) as is_ours:
        handled = _run(runtime, task, use_case) if is_ours else 0
    if is_ours:
        _ring_if_wanted(runtime, task)
    return handled


@contextmanager
def _turn(runtime: Runtime, task: PeriodicTask) -> Iterator[bool]:
    with runtime.reading() as connection:
        if not _take_turn(connection, task):
            yield False
            return
        try:
            yield True
        finally:
            periodic.end_turn(connection)


def is_paused(connection: Connection) -> bool:
    """Whether operators have ordered that no periodic task begins."""
    return halts.is_halted(connection, Halt.PAUSE, Queue.PERIODIC, None)


def _take_turn(connection: Connection, task: PeriodicTask) -> bool:
    if is_paused(connection):
        return False
    places = _PLACES.get(task, 1)
    if periodic.take_turn(connection, task, places):
        return True
    periodic.want_another(connection, task)
    periodic.end_overdue_turns(connection, task, places, PATIENCE)
    # Whoever was at it may have looked for the word that we left just before we left it.
    return periodic.take_turn(connection, task, places)


def _ring_if_wanted(runtime: Runtime, task: PeriodicTask) -> None:
    with runtime.transaction() as connection:
        is_wanted = periodic.is_another_wanted(connection, task)
    if is_wanted:
        runtime.doorbell.nudge(task)


def _run(runtime: Runtime, task: PeriodicTask, use_case: Callable[[Runtime], int]) -> int:
    with runtime.transaction() as connection:
        periodic.note_start(connection, task)
    try:
        handled = use_case(runtime)
    except Exception as error:
        with runtime.transaction() as connection:
            periodic.note_failure(connection, task, repr(error))
        raise
    crashpoints.reach(f"{task}:done")
    with runtime.transaction() as connection:
        periodic.note_success(connection, task, handled)
    return handled
