"""Periodic tasks: run, and their last run noted for operators."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from worker.queries import periodic
from worker.runtime import Runtime
from worker.states import PeriodicTask

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


def run_periodic(runtime: Runtime, task: PeriodicTask, use_case: Callable[[Runtime], int]) -> int:
    """Carry out `use_case`, which returns how many things it has handled, and note how that went."""
    with runtime.transaction() as connection:
        periodic.note_start(connection, task)
    try:
        handled = use_case(runtime)
    except Exception as error:
        with runtime.transaction() as connection:
            periodic.note_failure(connection, task, repr(error))
        raise
    with runtime.transaction() as connection:
        periodic.note_success(connection, task, handled)
    return handled
