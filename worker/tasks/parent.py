"""`claimd worker`: a small parent that keeps Celery running and sweeps.

Celery does the work and may die, hang or lose its broker; what this process needs to notice and repair that
is little enough to be relied on.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import structlog

from worker.broker import check_broker
from worker.runtime import Runtime, build_runtime
from worker.schema import check_schema
from worker.settings import Settings
from worker.states import Queue
from worker.tasks.child import CeleryChild
from worker.tasks.doorbell import CeleryDoorbell
from worker.tasks.heartbeat import Watchdog
from worker.tasks.sweeper import Sweeper

_log = structlog.get_logger(__name__)

_POLL = 0.2
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
_STEADY_AFTER = 60.0
_IMPATIENT = 2


def run_worker(settings: Settings, queues: Sequence[Queue], concurrency: int) -> int:
    """Work on `queues` with `concurrency` processes until SIGTERM or SIGINT; a second one means at once.

    Raises:
        EnvironmentProblem: database or broker cannot be used.
    """
    check_broker(settings)
    runtime = build_runtime(settings, CeleryDoorbell(settings))
    try:
        check_schema(runtime.engine)
        child = CeleryChild(settings, queues, concurrency)
        with _stop_requests() as requests, Sweeper(runtime):
            _Keeper(runtime, child, queues, concurrency).keep(requests)
            child.stop(lambda: len(requests) >= _IMPATIENT)
    finally:
        runtime.doorbell.close(timeout=1.0)
        runtime.close()
    _log.info("worker stopped")
    return 0


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """A list that SIGTERM and SIGINT add themselves to."""
    requests: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        requests.append(number)

    old = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield requests
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class _Keeper:
    """Starts Celery again whenever it dies or no longer works, with growing pauses if that does not help."""

    def __init__(self, runtime: Runtime, child: CeleryChild, queues: Sequence[Queue], concurrency: int) -> None:
        self._runtime = runtime
        self._child = child
        self._queues = queues
        self._concurrency = concurrency
        self._delay = _FIRST_DELAY

    def keep(self, requests: list[int]) -> None:
        """Keep it running until somebody asks to stop."""
        while not requests:
            started = time.monotonic()
            self._child.start()
            _log.info("celery started", pid=self._child.pid, queues=list(self._queues))
            trouble = self._watch(requests)
            if trouble is None:
                return
            self._child.end()
            if time.monotonic() - started > _STEADY_AFTER:
                self._delay = _FIRST_DELAY
            _log.error("celery is started again", trouble=trouble, delay=self._delay)
            self._pause(requests)

    def _watch(self, requests: list[int]) -> str | None:
        """What ended it, or why it has to be ended; None if we were asked to stop."""
        watchdog = Watchdog(self._concurrency, time.monotonic())
        while not requests:
            if (code := self._child.exit_code()) is not None:
                return f"exit code {code}" if code >= 0 else f"signal {-code}"
            if trouble := watchdog.judge(time.monotonic(), self._child.heartbeat(), self._waiting()):
                return trouble
            time.sleep(_POLL)
        return None

    def _waiting(self) -> int | None:
        counts = [self._runtime.doorbell.waiting(queue) for queue in self._queues]
        return None if None in counts else sum(count for count in counts if count)

    def _pause(self, requests: list[int]) -> None:
        until = time.monotonic() + self._delay
        self._delay = min(2 * self._delay, _LONGEST_DELAY)
        while not requests and time.monotonic() < until:
            time.sleep(_POLL)
