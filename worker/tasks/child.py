"""Celery's main process as a child of `claimd worker`."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

from worker.settings import Settings
from worker.states import Queue
from worker.tasks.environment import environment_of
from worker.tasks.heartbeat import Heartbeat, Listener

_HANDING_BACK = 5.0
_POLL = 0.05


class CeleryChild:
    """Starts Celery in a session of its own, and ends it with everything that belongs to it."""

    def __init__(self, settings: Settings, queues: Sequence[Queue], concurrency: int) -> None:
        self._settings = settings
        name = f"{queues[0]}-{os.getpid()}@{platform.node()}"
        self._words = [name, str(concurrency), *queues]
        self._listener: Listener | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The pid of Celery's main process, if it was started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start Celery. Call it from the main thread."""
        ours, theirs = os.pipe()
        self._listen(ours)
        # -P: a folder called `worker` in the working directory is not ours.
        argv = [sys.executable, "-P", "-m", "worker.tasks.pool", str(theirs), *self._words]
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            argv,
            pass_fds=[theirs],
            env=environment_of(self._settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # its logging goes to standard error
            start_new_session=True,
        )
        os.close(theirs)

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll() if self._process else 0

    def heartbeat(self) -> Heartbeat | None:
        """Its latest sign of life."""
        return self._listener.latest() if self._listener else None

    def stop(self, is_impatient: Callable[[], bool]) -> None:
        """Let running tasks finish for the grace of the settings, then have them hand their work back."""
        if self._process is not None:
            _send(self._process.pid, signal.SIGTERM)
            grace = self._settings.shutdown_grace.total_seconds()
            if not _wait(lambda: self.exit_code() is not None or is_impatient(), grace) or is_impatient():
                self.end()
        self._listen(None)

    def end(self) -> None:
        """Have running tasks hand their work back, and kill what is left after five seconds.

        Celery's main process is no part of that: it knows nothing that the database does not know.
        """
        if self._process is None:
            return
        for child in self._children():
            _send(child.pid, signal.SIGTERM)
        _wait(lambda: not self._children(), _HANDING_BACK)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _listen(self, pipe: int | None) -> None:
        if self._listener is not None:
            self._listener.close()
        self._listener = None if pipe is None else Listener(pipe)

    def _children(self) -> list[psutil.Process]:
        try:
            children = psutil.Process(self._process.pid).children() if self._process else []
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if _is_alive(child)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait(is_over: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_over():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
