"""(d), first half: what Celery itself costs, by tasks that do nothing, with the options of claimd's own application."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from celery import Celery
from pydantic import SecretStr

from benchmarks.figures import Spread, spread
from benchmarks.installation import ROOT, clean_environment
from worker.embedded.process import Command, spawn
from worker.settings import Settings, load_settings
from worker.states import Queue
from worker.tasks.app import build_app
from worker.tasks.environment import environment_of

TASK = "benchmarks.noop"
# Beside that of claimd on the same server, so that neither sees the other's messages.
_DATABASE = "/1"
_DONE = "benchmarks.done"
_SECONDS = 120
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Celerys:
    """What nothing costs: tasks a second, and seconds from sending one to its end."""

    rate: float
    round_trip: Spread


def measure_noop(settings: Settings, folder: Path, tasks: int, trips: int, workers: int) -> Celerys:
    """Many tasks at once, then one at a time."""
    settings = _beside(settings)
    with (
        redis.Redis.from_url(settings.require_broker_url()) as broker,
        _running_worker(settings, folder, workers),
        build_app(settings) as app,
        app.producer_or_acquire() as producer,
    ):
        probe = _Probe(app, broker, producer)
        probe.trip()
        rate = probe.rate(tasks)
        return Celerys(rate, spread([probe.trip() for _ in range(trips)]))


@dataclass(frozen=True)
class _Probe:
    """Sends tasks. Nobody is told of the end of one but of those that are asked to say so."""

    app: Celery
    broker: redis.Redis
    producer: Any

    def rate(self, tasks: int) -> float:
        """Tasks a second; with a queue that is first in, first out, the last one says when all are done."""
        started = time.perf_counter()
        for _ in range(tasks - 1):
            self._send(says_so=False)
        self._send(says_so=True)
        self._wait()
        return tasks / (time.perf_counter() - started)

    def trip(self) -> float:
        """Seconds from sending one to its end."""
        started = time.perf_counter()
        self._send(says_so=True)
        self._wait()
        return time.perf_counter() - started

    def _send(self, *, says_so: bool) -> None:
        self.app.send_task(TASK, args=(says_so,), queue=Queue.INTERACTIVE.value, producer=self.producer)

    def _wait(self) -> None:
        if self.broker.blpop([_DONE], timeout=_SECONDS) is None:
            raise TimeoutError("a task that does nothing was not done")


def run_noop_worker(concurrency: int) -> None:
    """Celery as `claimd worker` runs it, with one task, which does nothing."""
    settings = load_settings()
    app = build_app(settings)
    app.conf.include = ()
    broker = redis.Redis.from_url(settings.require_broker_url())

    @app.task(name=TASK)
    def noop(says_so: bool) -> None:
        if says_so:
            broker.rpush(_DONE, b"")

    worker = app.Worker(
        hostname=f"noop-{os.getpid()}@localhost",
        queues=[Queue.INTERACTIVE.value],
        concurrency=concurrency,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()


@contextmanager
def _running_worker(settings: Settings, folder: Path, concurrency: int) -> Iterator[None]:
    argv = [sys.executable, "-m", "benchmarks.noop", str(concurrency)]
    environment = {**clean_environment(), **environment_of(settings)}
    process = spawn(Command(argv=argv, env=environment, cwd=ROOT), folder / "noop.log")
    try:
        yield
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _beside(settings: Settings) -> Settings:
    server = settings.require_broker_url().rpartition("/")[0]
    return settings.model_copy(update={"broker_url": SecretStr(server + _DATABASE)})


if __name__ == "__main__":
    run_noop_worker(int(sys.argv[1]))
