"""(d), first half: what Celery itself costs, by tasks that do nothing, with the options of claimd's own application."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from celery import Celery
from kombu import Queue
from pydantic import SecretStr

from benchmarks.figures import Spread, spread
from benchmarks.installation import ROOT, clean_environment
from worker.embedded.ending import at_leisure, end_together
from worker.embedded.process import Command, spawn
from worker.settings import Settings, load_settings
from worker.tasks.app import build_app
from worker.tasks.environment import environment_of

TASK = "benchmarks.noop"
_QUEUE = "benchmarks"
# Another one on the broker than claimd's: there its Flower does not see what happens.
_UNWATCHED = "/1"
_DONE = "benchmarks.done"
_SECONDS = 120
_STOP_STEPS = ((signal.SIGTERM, 5.0),)


@dataclass(frozen=True)
class Celerys:
    """What nothing costs: tasks a second, and seconds from sending one to its end."""

    rate: float
    round_trip: Spread


@dataclass(frozen=True)
class Work:
    """How many tasks are sent at once, how many one at a time, and how many processes there are for them."""

    tasks: int
    trips: int
    workers: int


def measure_noop(settings: Settings, folder: Path, work: Work, *, watched: bool) -> Celerys:
    """Many tasks at once, then one at a time; `watched`: by claimd's own Flower, as its batches are."""
    settings = settings if watched else _unwatched(settings)
    with (
        redis.Redis.from_url(settings.require_broker_url(), socket_timeout=2 * _SECONDS) as broker,
        _running_worker(settings, folder, work.workers),
        _build_app(settings) as app,
        app.producer_or_acquire() as producer,
    ):
        probe = _Probe(app, broker, producer)
        probe.trip()
        rate = probe.rate(work.tasks)
        return Celerys(rate, spread([probe.trip() for _ in range(work.trips)]))


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
        self.app.send_task(TASK, args=(says_so,), queue=_QUEUE, producer=self.producer)

    def _wait(self) -> None:
        if self.broker.blpop([_DONE], timeout=_SECONDS) is None:
            raise TimeoutError("a task that does nothing was not done")


def run_noop_worker(concurrency: int) -> None:
    """Celery as `claimd worker` runs it, with one task, which does nothing."""
    settings = load_settings()
    app = _build_app(settings)
    broker = redis.Redis.from_url(settings.require_broker_url())

    @app.task(name=TASK)
    def noop(says_so: bool) -> None:
        if says_so:
            broker.rpush(_DONE, b"")

    worker = app.Worker(
        hostname=f"noop-{os.getpid()}@localhost",
        queues=[_QUEUE],
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
        end_together([(process, _STOP_STEPS)], at_leisure)


def _build_app(settings: Settings) -> Celery:
    app = build_app(settings)
    app.conf.update(include=(), task_queues=[Queue(_QUEUE)])
    return app


def _unwatched(settings: Settings) -> Settings:
    server = settings.require_broker_url().rpartition("/")[0]
    return settings.model_copy(update={"broker_url": SecretStr(server + _UNWATCHED)})


if __name__ == "__main__":
    run_noop_worker(int(sys.argv[1]))
