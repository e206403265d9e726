"""A periodic task takes one process at a time, and nothing that it was asked for meanwhile is forgotten."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from tests.embedded.waiting import wait_until
from worker.doorbell import SilentDoorbell
from worker.operations.periodic import run_periodic
from worker.operations.standings import read_standings
from worker.queries import periodic
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import PeriodicTask

SWEEP = PeriodicTask.SWEEP


@dataclass
class _Bell(SilentDoorbell):
    nudged: list[PeriodicTask] = field(default_factory=list)

    def nudge(self, task: PeriodicTask) -> None:
        self.nudged.append(task)


@pytest.fixture
def bell() -> _Bell:
    return _Bell()


@pytest.fixture
def runtime(settings: Settings, bell: _Bell) -> Iterator[Runtime]:
    """One with connections for several runs at once."""
    runtime = build_runtime(settings, bell, pool_size=6)
    yield runtime
    runtime.close()


def _two(_: Runtime) -> int:
    return 2


@contextmanager
def _hanging(runtime: Runtime) -> Iterator[None]:
    """Somebody who holds the turn of the sweep and does nothing."""
    with runtime.reading() as connection:
        assert periodic.take_turn(connection, SWEEP, places=1)
        periodic.note_start(connection, SWEEP)
        yield
        connection.invalidate()


def test_a_run_is_noted_with_all_that_it_handled(runtime: Runtime, bell: _Bell) -> None:
    assert [run_periodic(runtime, SWEEP, _two) for _ in range(3)] == [2, 2, 2]
    with runtime.transaction() as connection:
        found = read_standings(connection, runtime.settings)[SWEEP]
    assert (found.handled, found.error, found.late) == (6, None, False)
    assert found.last_success is not None
    assert bell.nudged == []


def test_a_failure_is_noted_and_raised_and_the_next_success_forgets_it(runtime: Runtime) -> None:
    def fail(_: Runtime) -> int:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        run_periodic(runtime, SWEEP, fail)
    with runtime.transaction() as connection:
        assert read_standings(connection, runtime.settings)[SWEEP].error == "ValueError('no luck')"
    assert run_periodic(runtime, SWEEP, _two) == 2
    with runtime.transaction() as connection:
        assert read_standings(connection, runtime.settings)[SWEEP].error is None


def test_who_comes_while_another_is_at_it_goes_away_and_is_rung_for_afterwards(runtime: Runtime, bell: _Bell) -> None:
    def interrupted(runtime: Runtime) -> int:
        assert run_periodic(runtime, SWEEP, _two) == 0
        assert run_periodic(runtime, PeriodicTask.PRUNE, _two) == 2
        assert bell.nudged == []
        return 1

    assert run_periodic(runtime, SWEEP, interrupted) == 1
    assert bell.nudged == [SWEEP]
    assert run_periodic(runtime, SWEEP, _two) == 2
    assert bell.nudged == [SWEEP]


def test_two_at_once_may_deliver(runtime: Runtime) -> None:
    def beside(runtime: Runtime) -> int:
        return run_periodic(runtime, PeriodicTask.DELIVER, _two)

    with runtime.reading() as connection:
        assert periodic.take_turn(connection, PeriodicTask.DELIVER, places=2)
        assert run_periodic(runtime, PeriodicTask.DELIVER, _two) == 2
        periodic.end_turn(connection)
    assert run_periodic(runtime, PeriodicTask.DELIVER, beside) == 2


def test_the_turn_of_a_process_that_died_is_free_at_once(runtime: Runtime) -> None:
    with _hanging(runtime):
        assert run_periodic(runtime, SWEEP, _two) == 0
    assert run_periodic(runtime, SWEEP, _two) == 2


def test_the_turn_of_a_process_that_hangs_is_taken_from_it(runtime: Runtime) -> None:
    with _hanging(runtime):
        with runtime.transaction() as connection:
            connection.execute(text("update periodic_task set started_at = started_at - interval '6 minutes'"))
        wait_until(lambda: run_periodic(runtime, SWEEP, _two) == 2)
