"""What Celery's main process tells its parent, and how the parent sees that it works no more."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass

from celery import bootsteps
from celery.signals import task_received
from celery.worker import WorkController, state

INTERVAL = 1.0
PATIENCE = 30.0
_PIECE = 65_536


@dataclass(frozen=True)
class Heartbeat:
    """One sign of life: its number, how many tasks were taken so far, and how many are running."""

    number: int
    taken: int
    active: int


class Listener:
    """The parent's end of the pipe that heartbeats come through."""

    def __init__(self, descriptor: int) -> None:
        """Takes `descriptor` over."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._unfinished = b""
        self._latest: Heartbeat | None = None

    def latest(self) -> Heartbeat | None:
        """The latest sign of life; None before the first one."""
        with suppress(BlockingIOError):
            while piece := os.read(self._descriptor, _PIECE):
                *lines, self._unfinished = (self._unfinished + piece).split(b"\n")
                if lines:
                    self._latest = Heartbeat(*map(int, lines[-1].split()))
        return self._latest

    def close(self) -> None:
        """Let go of the pipe, which ends whoever still writes to it."""
        os.close(self._descriptor)


class Beating(bootsteps.StartStopStep):
    """Writes signs of life as long as Celery's event loop turns, and ends Celery after its parent."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: WorkController, heartbeat_pipe: int, **options: object) -> None:
        """Celery hands over everything that its worker was made with: `heartbeat_pipe` is the other end."""
        super().__init__(worker, **options)
        os.set_blocking(heartbeat_pipe, False)
        self._pipe = heartbeat_pipe
        self._number = self._taken = 0

    def start(self, parent: WorkController) -> None:
        """Begin."""
        task_received.connect(self._count)
        parent.timer.call_repeatedly(INTERVAL, self._beat)  # type: ignore[union-attr]  # kombu's

    def stop(self, parent: WorkController) -> None:
        """Nothing to do: the timer ends with its loop."""

    def _count(self, **_: object) -> None:
        self._taken += 1

    def _beat(self) -> None:
        self._number += 1
        line = f"{self._number} {self._taken} {len(state.active_requests)}\n"
        try:
            os.write(self._pipe, line.encode("ascii"))
        except BlockingIOError:  # a parent that does not listen is busy, or stopped
            pass
        except BrokenPipeError:
            os.kill(os.getpid(), signal.SIGTERM)


class Watchdog:
    """Judges a Celery that is alive as a process: `silent` if its loop stands, `deaf` if it takes nothing."""

    def __init__(self, concurrency: int, now: float) -> None:
        self._concurrency = concurrency
        self._heard = self._took = now
        self._last: Heartbeat | None = None

    def judge(self, now: float, beat: Heartbeat | None, waiting: int | None) -> str | None:
        """What is wrong since half a minute; None if nothing is.

        `waiting` messages are in its queues; None while the broker is away, when nothing can be told.
        """
        last, self._last = self._last, beat
        if waiting is None or beat != last:
            self._heard = now
        if not waiting or not beat or not last or beat.taken != last.taken or beat.active >= self._concurrency:
            self._took = now
        if now - self._heard > PATIENCE:
            return "silent"
        if now - self._took > PATIENCE:
            return "deaf"
        return None
