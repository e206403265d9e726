"""What Celery's main process tells its parent, and how the parent sees that it works no more."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from celery import bootsteps
from celery.signals import task_received
from celery.worker import WorkController, state

INTERVAL = 1.0
PATIENCE = 30.0


@dataclass(frozen=True)
class Heartbeat:
    """One sign of life: its number, how many tasks were taken so far, and how many are running."""

    number: int
    taken: int
    active: int


def read_heartbeat(path: Path) -> Heartbeat | None:
    """The latest sign of life; None before the first one."""
    try:
        number, taken, active = path.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return Heartbeat(int(number), int(taken), int(active))


class Beating(bootsteps.StartStopStep):
    """Writes signs of life as long as Celery's event loop turns, and ends Celery after its parent."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: WorkController, heartbeat_file: Path, parent_pid: int, **options: object) -> None:
        """Celery hands over everything that its worker was made with."""
        super().__init__(worker, **options)
        self._file = heartbeat_file
        self._parent = parent_pid
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
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._number} {self._taken} {len(state.active_requests)}", encoding="ascii")
        new.replace(self._file)
        if os.getppid() != self._parent:
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
