"""The doorbell rings if it can, and never costs its caller anything if it cannot."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import redis
from pydantic import SecretStr

from tests.embedded.waiting import wait_until
from worker.embedded.broker import EmbeddedBroker
from worker.settings import Settings
from worker.states import PeriodicTask, Queue, WorkKind
from worker.tasks import doorbell as module
from worker.tasks.doorbell import CeleryDoorbell
from worker.tasks.environment import environment_of

FORKING = """
import os
from worker.settings import load_settings
from worker.states import Queue, WorkKind
from worker.tasks.doorbell import CeleryDoorbell
bell = CeleryDoorbell(load_settings())
bell.ring(WorkKind.APPLY, "bat_before", Queue.BULK)
child = os.fork()
bell.ring(WorkKind.APPLY, "bat_after", Queue.BULK)
bell.close(10)
os.waitpid(child, 0) if child else os._exit(0)
"""


@pytest.fixture
def bell(settings: Settings) -> Iterator[CeleryDoorbell]:
    bell = CeleryDoorbell(settings)
    yield bell
    bell.close(timeout=2)


def _rung(settings: Settings, queue: Queue) -> list[tuple[str, list[str]]]:
    with redis.Redis.from_url(settings.require_broker_url()) as client:
        messages = [json.loads(message) for message in client.lrange(queue.value, 0, -1)]
    return [(each["headers"]["task"], json.loads(base64.b64decode(each["body"]))[0]) for each in reversed(messages)]


def test_a_ring_carries_the_batch_and_nothing_else(settings: Settings, bell: CeleryDoorbell) -> None:
    bell.ring(WorkKind.RESOLVE, "bat_1", Queue.INTERACTIVE)
    bell.ring(WorkKind.APPLY, "bat_2", Queue.INTERACTIVE, times=2)
    wait_until(lambda: bell.waiting(Queue.INTERACTIVE) == 3)
    assert _rung(settings, Queue.INTERACTIVE) == [
        ("claims.resolve", ["bat_1"]),
        ("claims.apply", ["bat_2"]),
        ("claims.apply", ["bat_2"]),
    ]
    assert bell.waiting(Queue.BULK) == 0


def test_closing_sends_what_was_rung(settings: Settings) -> None:
    bell = CeleryDoorbell(settings)
    bell.ring(WorkKind.FINISH, "bat_1", Queue.BULK, times=50)
    bell.close(timeout=10)
    assert len(_rung(settings, Queue.BULK)) == 50


def test_a_doorbell_made_before_a_fork_rings_in_both_processes(settings: Settings) -> None:
    script = [sys.executable, "-W", "ignore", "-c", FORKING]
    subprocess.run(script, env=environment_of(settings), check=True, timeout=30)
    assert sorted(batch for _, (batch,) in _rung(settings, Queue.BULK)) == ["bat_after", "bat_after", "bat_before"]


def test_a_broker_that_is_gone_or_frozen_costs_the_caller_nothing_and_is_used_again_when_it_is_back(
    settings: Settings, own_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SILENCE", 0.2)
    monkeypatch.setattr(module, "MOST_WAITING", 100)
    bell = CeleryDoorbell(settings.model_copy(update={"broker_url": SecretStr(own_broker.url)}))
    assert own_broker.process is not None
    os.kill(own_broker.process.pid, signal.SIGSTOP)
    assert _seconds_for_a_thousand_rings(bell) < 0.5
    assert bell.waiting(Queue.BULK) is None
    os.kill(own_broker.process.pid, signal.SIGCONT)
    _wait_until_it_rings(bell)
    own_broker.stop()
    assert _seconds_for_a_thousand_rings(bell) < 0.5
    assert bell.waiting(Queue.BULK) is None
    own_broker.start()
    _wait_until_it_rings(bell)
    bell.close(timeout=5)


def _seconds_for_a_thousand_rings(bell: CeleryDoorbell) -> float:
    started = time.monotonic()
    for number in range(1000):
        bell.ring(WorkKind.RESOLVE, f"bat_{number}", Queue.INTERACTIVE)
    return time.monotonic() - started


def _wait_until_it_rings(bell: CeleryDoorbell) -> None:
    def rings() -> bool:
        bell.ring(WorkKind.RESOLVE, "bat_again", Queue.BULK)
        time.sleep(0.05)  # not thousands of rings a second
        return bool(bell.waiting(Queue.BULK))

    wait_until(rings)


def test_twenty_waiting_doorbells_are_enough_for_small_batches(settings: Settings, bell: CeleryDoorbell) -> None:
    for number in range(25):
        bell.ring(WorkKind.RESOLVE, f"bat_{number}", Queue.INTERACTIVE)
    bell.ring(WorkKind.FINISH, "bat_last", Queue.INTERACTIVE)
    wait_until(lambda: _rung(settings, Queue.INTERACTIVE)[-1:] == [("claims.finish", ["bat_last"])])
    assert bell.waiting(Queue.INTERACTIVE) == 21


def test_a_nudge_asks_for_a_periodic_task_before_its_time_unless_enough_wait(settings: Settings) -> None:
    bell = CeleryDoorbell(settings)
    bell.nudge(PeriodicTask.ACTIVATE)
    for _ in range(20):
        bell.nudge(PeriodicTask.DELIVER)
    bell.close(timeout=10)
    assert _rung(settings, Queue.PERIODIC) == [("subscriptions.activate_due", []), *[("reports.deliver_due", [])] * 7]
