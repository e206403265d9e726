"""Whatever dies while a batch is worked on, each device is claimed once, and soon."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import redis
from pydantic import SecretStr

from tests.claims import Sender, add_devices, new_sender, send
from tests.embedded.waiting import is_gone, wait_until
from tests.jobs.conftest import CSV, DEVICES, ringing_runtime
from tests.jobs.programs import ALL_QUEUES, running, worker
from tests.servers import running_postgres
from worker.batches import get_batch
from worker.embedded.broker import EmbeddedBroker
from worker.runtime import Runtime
from worker.schema import migrate
from worker.settings import Settings
from worker.states import Queue, WorkKind
from worker.tasks.app import build_app
from worker.tasks.environment import environment_of

Completes = Callable[[str], None]
Release = Callable[[], None]
Asks = Callable[[], bool]
Attempts = Callable[[], list[tuple[int, bool]]]

# The watchdog waits for half a minute before it judges; here for five seconds.
WATCHFUL = [
    sys.executable,
    "-P",
    "-c",
    "import worker.tasks.heartbeat as h; h.PATIENCE = 5; from worker.cli.main import main; main()",
]

# As on systems whose kernel does not tell a child of its parent's end.
DEAF_TO_ITS_PARENTS_DEATH = """
import sys, worker.tasks.pool as pool
from worker.states import Queue
pool.set_pdeathsig = lambda number: None
sys.exit(pool.main(int(sys.argv[1]), "orphan@test", 1, [Queue.INTERACTIVE]))
"""


def test_a_killed_child_costs_an_attempt_and_nothing_else(
    settings: Settings,
    ringing: Runtime,
    sender: Sender,
    tmp_path: Path,
    held_up: Release,
    is_stuck: Asks,
    attempts: Attempts,
    completes: Completes,
) -> None:
    with worker(settings, tmp_path / "worker.log", concurrency=1) as program:
        batch_id = send(ringing, sender, CSV)
        wait_until(is_stuck)
        celery = program.celery.pid
        program.children[0].kill()
        wait_until(lambda: not is_stuck())
        held_up()
        completes(batch_id)
        assert program.celery.pid == celery
    assert max(count for count, _ in attempts()) == 2


def test_sigterm_hands_running_work_back_without_counting_it(
    settings: Settings,
    ringing: Runtime,
    sender: Sender,
    tmp_path: Path,
    held_up: Release,
    is_stuck: Asks,
    attempts: Attempts,
    completes: Completes,
) -> None:
    with worker(settings, tmp_path / "worker.log") as program:
        batch_id = send(ringing, sender, CSV)
        wait_until(is_stuck)
        before = attempts()
        assert program.stop() == 0
    assert any(held for _, held in before)
    assert not is_stuck()
    assert [(count - held, False) for count, held in before] == attempts()
    held_up()
    with worker(settings, tmp_path / "next.log"):
        completes(batch_id)


def test_a_second_sigterm_means_at_once(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, held_up: Release, is_stuck: Asks
) -> None:
    patient = settings.model_copy(update={"shutdown_grace": timedelta(minutes=5)})
    with worker(patient, tmp_path / "worker.log") as program:
        send(ringing, sender, CSV)
        wait_until(is_stuck)
        program.send(signal.SIGTERM)
        wait_until(lambda: not program.children or program.celery.status() != "running")
        program.send(signal.SIGTERM)
        assert program.process.wait(15) == 0
    assert not is_stuck()
    held_up()


def test_celery_is_started_again_when_it_is_killed(
    settings: Settings,
    ringing: Runtime,
    sender: Sender,
    tmp_path: Path,
    held_up: Release,
    is_stuck: Asks,
    completes: Completes,
) -> None:
    with worker(settings, tmp_path / "worker.log") as program:
        batch_id = send(ringing, sender, CSV)
        wait_until(is_stuck)
        children = [child.pid for child in program.children]
        program.celery.kill()
        wait_until(lambda: all(is_gone(pid) for pid in children))
        held_up()
        completes(batch_id)
        assert program.said("celery is started again")


def test_celery_does_not_outlive_a_killed_parent(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    with worker(settings, tmp_path / "worker.log") as program:
        orphans = [program.celery.pid, *(child.pid for child in program.children)]
        program.send(signal.SIGKILL)
        wait_until(lambda: all(is_gone(pid) for pid in orphans))
    with worker(settings, tmp_path / "next.log"):
        completes(send(ringing, sender, CSV))


def test_celery_survives_the_end_of_the_broker_while_a_task_runs_and_a_slot_is_free(
    settings: Settings,
    sender: Sender,
    own_broker: EmbeddedBroker,
    tmp_path: Path,
    held_up: Release,
    is_stuck: Asks,
    completes: Completes,
) -> None:
    mine = settings.model_copy(update={"broker_url": SecretStr(own_broker.url)})
    with worker(mine, tmp_path / "worker.log") as program, ringing_runtime(mine) as runtime:
        batch_id = send(runtime, sender, CSV)
        wait_until(is_stuck)
        celery = program.celery.pid
        _kill(own_broker)
        wait_until(lambda: program.said("Connection to broker lost") or program.said("onnection refused"))
        own_broker.start()
        held_up()
        completes(batch_id)
        assert program.celery.pid == celery
        assert not program.said("celery is started again")


def test_a_broker_that_lost_everything_delays_work_by_a_sweep(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    batch_id = send(ringing, sender, CSV)
    wait_until(lambda: ringing.doorbell.waiting(Queue.INTERACTIVE))
    with redis.Redis.from_url(settings.require_broker_url()) as client:
        client.flushall()
    with worker(settings, tmp_path / "worker.log"):
        completes(batch_id)


def test_a_frozen_broker_keeps_nobody_waiting(
    settings: Settings, sender: Sender, own_broker: EmbeddedBroker, tmp_path: Path, completes: Completes
) -> None:
    mine = settings.model_copy(update={"broker_url": SecretStr(own_broker.url)})
    with worker(mine, tmp_path / "worker.log"), ringing_runtime(mine) as runtime:
        assert own_broker.process is not None
        os.kill(own_broker.process.pid, signal.SIGSTOP)
        started = time.monotonic()
        batch_id = send(runtime, sender, CSV)
        for _ in range(1000):
            runtime.doorbell.ring(WorkKind.RESOLVE, batch_id, Queue.BULK)
        assert time.monotonic() - started < 1
        os.kill(own_broker.process.pid, signal.SIGCONT)
        completes(batch_id)


def test_a_celery_that_stands_still_is_replaced(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    with running(settings, tmp_path / "worker.log", "worker", *ALL_QUEUES, program=WATCHFUL) as program:
        program.celery.suspend()
        completes(send(ringing, sender, CSV))
        assert program.said('"silent"')


def test_a_celery_that_takes_nothing_is_replaced(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    with running(settings, tmp_path / "worker.log", "worker", *ALL_QUEUES, program=WATCHFUL) as program:
        build_app(settings).control.cancel_consumer(Queue.INTERACTIVE.value)
        wait_until(lambda: program.said("Canceling queue interactive"))
        completes(send(ringing, sender, CSV))
        assert program.said('"deaf"')


def _kill(broker: EmbeddedBroker) -> None:
    assert broker.process is not None
    broker.process.kill()
    broker.process.wait()


def test_workers_survive_the_end_of_the_database(settings: Settings, tmp_path: Path) -> None:
    with running_postgres(tmp_path / "postgres") as server:
        mine = settings.model_copy(update={"database_url": SecretStr(server.url)})
        with ringing_runtime(mine) as runtime:
            migrate(runtime.engine)
            add_devices(runtime, DEVICES)
            sender = new_sender(runtime, "acme")
            with worker(mine, tmp_path / "worker.log") as program:
                celery = program.celery.pid
                assert server.process is not None
                server.process.kill()
                wait_until(lambda: program.said("sweep failed"))
                server.start()
                batch_id = send(runtime, sender, CSV)
                wait_until(lambda: get_batch(runtime, sender.principal, batch_id)["state"] == "completed")
                assert program.celery.pid == celery
                assert program.log.read_text(encoding="utf-8").count("sweep failed") == 1


def test_celery_ends_when_nobody_listens_to_its_heartbeat(settings: Settings, tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    with (tmp_path / "celery.log").open("wb") as log:
        argv = [sys.executable, "-P", "-c", DEAF_TO_ITS_PARENTS_DEATH, str(theirs)]
        celery = subprocess.Popen(argv, env=environment_of(settings), pass_fds=[theirs], stderr=log)
    os.close(theirs)
    wait_until(lambda: b"ready." in (tmp_path / "celery.log").read_bytes())
    os.close(ours)
    assert celery.wait(20) == 0
