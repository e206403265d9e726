"""Prepaid time from claim to end, with real beat and worker processes and a clock that is moved."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.claims import Sender, send
from tests.clock import pass_time
from tests.embedded.waiting import wait_until
from tests.jobs.conftest import CSV, DEVICES, ringing_runtime
from tests.jobs.programs import running, worker
from tests.subscriptions import listen, periods, told
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import PeriodicTask, Queue
from worker.tasks.app import build_app


def ask_for(settings: Settings, *tasks: PeriodicTask) -> None:
    """What beat sends, without waiting for it."""
    app = build_app(settings)
    with app.connection_for_write() as connection:
        producer = app.amqp.Producer(connection)
        for task in tasks:
            app.send_task(task.value, queue=Queue.PERIODIC.value, producer=producer)


def states(runtime: Runtime) -> list[str]:
    """The states of all subscriptions that have started or have plans of their own."""
    return [period.state for period in periods(runtime).values()]


def test_prepaid_time_starts_and_ends_by_beat_and_workers(
    settings: Settings, runtime: Runtime, sender: Sender, tmp_path: Path, completes: Callable[[str], None]
) -> None:
    listen(runtime, sender)
    with running(settings, tmp_path / "beat.log", "beat"), worker(settings, tmp_path / "worker.log"):
        with ringing_runtime(settings) as ringing:
            completes(send(ringing, sender, CSV))
        ask_for(settings, PeriodicTask.ACTIVATE)
        assert states(runtime) == []
        pass_time(runtime, minutes=16)
        ask_for(settings, *[PeriodicTask.ACTIVATE] * 5)
        wait_until(lambda: states(runtime) == ["active"] * len(DEVICES), 30)
        pass_time(runtime, days=360)
        ask_for(settings, *[PeriodicTask.REMIND, PeriodicTask.EXPIRE] * 5)
        wait_until(lambda: len(told(runtime)) == 3, 30)
        pass_time(runtime, days=30)
        ask_for(settings, *[PeriodicTask.REMIND, PeriodicTask.EXPIRE] * 5)
        wait_until(lambda: states(runtime) == ["expired"] * len(DEVICES), 30)
    assert [(event.get("activated"), event.get("days")) for event in told(runtime)] == [
        (len(DEVICES), None),
        (None, 30),
        (None, 7),
    ]
    assert verify(runtime) == []


def test_without_a_hold_window_the_worker_that_ends_a_batch_asks_for_its_activation(
    settings: Settings, runtime: Runtime, sender: Sender, tmp_path: Path
) -> None:
    at_once = settings.model_copy(update={"hold_window": timedelta(0)})
    with worker(at_once, tmp_path / "worker.log"):
        with ringing_runtime(at_once) as ringing:
            send(ringing, sender, CSV)
        wait_until(lambda: states(runtime) == ["active"] * len(DEVICES), 30)
