"""Beat asks for every periodic task at its intervals, whatever becomes of the clock, and two of it do no harm."""

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import redis
from celery import Celery

from tests.claims import Sender, claim
from tests.clock import pass_time
from tests.embedded.waiting import wait_until
from tests.jobs.conftest import CSV, DEVICES
from tests.jobs.programs import running, worker
from worker.operations.periodic import INTERVALS
from worker.operations.standings import Standing, late_tasks, read_standings
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import PeriodicTask, Queue
from worker.tasks.app import build_app
from worker.tasks.periodic import USE_CASES
from worker.tasks.schedule import ENOUGH_WAITING, SteadyScheduler

ALL = {task.value for task in PeriodicTask}


class _Clock:
    """A system clock that can be set."""

    def __init__(self, app: Celery) -> None:
        self._true, self.ahead = app.now, timedelta(0)

    def __call__(self) -> datetime:
        return self._true() + self.ahead


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Celery:
    app = build_app(settings)
    monkeypatch.setattr(app, "now", _Clock(app))
    return app


def _sent(settings: Settings) -> Counter[str]:
    """How many messages of each task wait; they wait no more then."""
    with redis.Redis.from_url(settings.require_broker_url()) as client:
        messages = client.lrange(Queue.PERIODIC.value, 0, -1)
        client.delete(Queue.PERIODIC.value)
    return Counter(json.loads(message)["headers"]["task"] for message in messages)


def _tick_until_nothing_is_due(scheduler: SteadyScheduler) -> float:
    while not (pause := scheduler.tick()):
        pass
    return pause


def test_every_periodic_task_has_a_use_case_and_an_interval(app: Celery) -> None:
    assert set(USE_CASES) == set(INTERVALS) == set(PeriodicTask)
    app.loader.import_default_modules()
    assert set(app.tasks) >= ALL
    schedule = app.conf.beat_schedule
    assert {entry["task"] for entry in schedule.values()} == ALL
    assert all(entry["options"]["queue"] == Queue.PERIODIC for entry in schedule.values())


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1)], ids=["back", "forward"])
def test_a_clock_that_is_set_makes_beat_send_everything_once_and_then_go_on(
    settings: Settings, app: Celery, step: timedelta
) -> None:
    scheduler = SteadyScheduler(app, lazy=False)
    _tick_until_nothing_is_due(scheduler)
    assert _sent(settings) == dict.fromkeys(ALL, 1)
    app.now.ahead = step  # type: ignore[attr-defined]  # our clock
    assert _tick_until_nothing_is_due(scheduler) <= min(INTERVALS.values()).total_seconds()
    assert _sent(settings) == dict.fromkeys(ALL, 1)
    app.now.ahead += INTERVALS[PeriodicTask.DELIVER]  # type: ignore[attr-defined]
    _tick_until_nothing_is_due(scheduler)
    assert _sent(settings) == {PeriodicTask.DELIVER.value: 1}
    scheduler.close()


def test_where_nobody_listens_beat_soon_says_no_more(settings: Settings, app: Celery) -> None:
    scheduler = SteadyScheduler(app, lazy=False)
    for _ in range(20):
        _tick_until_nothing_is_due(scheduler)
        app.now.ahead += timedelta(hours=1)  # type: ignore[attr-defined]  # our clock
    assert _sent(settings).total() == ENOUGH_WAITING
    _tick_until_nothing_is_due(scheduler)
    assert _sent(settings) == dict.fromkeys(ALL, 1)
    scheduler.close()


def test_two_beats_after_a_year_without_any_have_everything_done_once(
    settings: Settings, runtime: Runtime, sender: Sender, tmp_path: Path
) -> None:
    claim(runtime, sender, CSV)
    pass_time(runtime, days=360)
    assert PeriodicTask.ACTIVATE in late_tasks(runtime)
    with (
        running(settings, tmp_path / "beat.log", "beat") as first,
        running(settings, tmp_path / "other.log", "beat") as second,
        worker(settings, tmp_path / "worker.log"),
    ):
        wait_until(lambda: all(found.last_success for found in _standings(runtime).values()), 60)
        assert (first.stop(), second.stop()) == (0, 0)
    found = _standings(runtime)
    assert found[PeriodicTask.ACTIVATE].handled == len(DEVICES)
    assert {each.error for each in found.values()} == {None}
    assert late_tasks(runtime) == []


def _standings(runtime: Runtime) -> dict[PeriodicTask, Standing]:
    with runtime.transaction() as connection:
        return read_standings(connection, runtime.settings)
