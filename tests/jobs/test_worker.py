"""Real workers do real batches, also when messages are lost, doubled or hostile."""

import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis

from tests.claims import Sender, send
from tests.jobs.conftest import CSV
from tests.jobs.programs import run, running, worker
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import Queue, WorkKind
from worker.tasks.app import build_app

Completes = Callable[[str], None]

HOSTILE = (
    ("an.unknown.task", ("bat_x",)),
    ("claims.resolve", ()),
    ("claims.resolve", ("bat_x", "one", "too", "many")),
    ("claims.resolve", ({"not": "an id"},)),
    ("claims.apply", ("'; drop table batch; --",)),
    ("claims.finish", (None,)),
    ("claims.finish", ("\0" * 10_000,)),
)


def test_a_worker_takes_a_batch_from_the_doorbell_to_its_end(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    with worker(settings, tmp_path / "worker.log") as program:
        completes(send(ringing, sender, CSV))
        assert program.stop() == 0


def test_a_lost_doorbell_is_rung_again_by_the_sweep(
    settings: Settings, runtime: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    with worker(settings, tmp_path / "worker.log"):
        completes(send(runtime, sender, CSV))


def test_many_doorbells_for_one_batch_do_its_work_once(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    small = settings.model_copy(update={"chunk_size": 10})
    with worker(small, tmp_path / "worker.log"):
        batch_id = send(ringing, sender, CSV)
        for kind in WorkKind:
            ringing.doorbell.ring(kind, batch_id, Queue.BULK, times=20)
        completes(batch_id)


def test_hostile_messages_are_discarded(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    app = build_app(settings)
    with app.connection_for_write() as connection:
        producer = app.amqp.Producer(connection)
        for name, arguments in HOSTILE:
            app.send_task(name, args=arguments, queue=Queue.INTERACTIVE.value, producer=producer)
        producer.publish(b"\xff", content_type="application/x-python-serialize", routing_key="interactive")
        producer.publish("{", content_type="application/json", content_encoding="utf-8", routing_key="interactive")
    with worker(settings, tmp_path / "worker.log") as program:
        first = program.celery.pid
        completes(send(ringing, sender, CSV))
        assert program.celery.pid == first


def test_bytes_that_are_no_message_at_all_do_not_stop_the_work(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    with redis.Redis.from_url(settings.require_broker_url()) as client:
        for junk in (b"not json", json.dumps({"body": "?", "headers": {}}).encode()):
            client.lpush(Queue.INTERACTIVE.value, junk)
    with worker(settings, tmp_path / "worker.log"):
        completes(send(ringing, sender, CSV))


def test_two_beats_are_as_good_as_one(
    settings: Settings, runtime: Runtime, sender: Sender, tmp_path: Path, completes: Completes
) -> None:
    with (
        running(settings, tmp_path / "beat.log", "beat") as first,
        running(settings, tmp_path / "other.log", "beat") as second,
        worker(settings, tmp_path / "worker.log"),
    ):
        completes(send(runtime, sender, CSV))
        assert (first.stop(), second.stop()) == (0, 0)
    assert not list(tmp_path.glob("celerybeat*"))


def test_the_password_of_the_broker_is_in_no_log_and_no_argument(settings: Settings, tmp_path: Path) -> None:
    password = settings.require_broker_url().split(":")[2].split("@")[0]
    debug = settings.model_copy(update={"log_level": "debug"})
    with worker(debug, tmp_path / "worker.log") as program:
        parent = psutil.Process(program.process.pid)
        arguments = [each.cmdline() for each in (parent, program.celery, program.children[0])]
        assert password not in str(arguments)
        assert password not in program.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"broker_url": "redis://127.0.0.1:1/0"}, "The broker at 127.0.0.1:1 cannot be used"),
        ({"broker_url": "amqp://localhost"}, "must be a Redis URL"),
        ({"broker_url": "redis://:pass/word@localhost:6379"}, "CLAIMD_BROKER_URL is not a URL"),
        ({"database_url": "postgresql://127.0.0.1:1/x"}, "PostgreSQL at 127.0.0.1:1 cannot be used"),
    ],
)
def test_a_worker_without_its_servers_says_so_in_one_sentence(
    settings: Settings, tmp_path: Path, change: dict[str, str], complaint: str
) -> None:
    code, output = run(Settings.model_validate({**_plain(settings), **change}), tmp_path, "worker")
    assert (code, output.count("Traceback")) == (2, 0)
    assert complaint in output


def _plain(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.model_fields_set}
