"""Keeps a handful of named children running, and leaves none behind."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

from worker.embedded.service import Service, stop_together
from worker.errors import EnvironmentProblem

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL = 0.1
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0
_STEADY_AFTER = 10.0
_TO_KILL = 2


class Interrupted(Exception):
    """Somebody asked to stop while services were starting."""


@dataclass
class _Child:
    service: Service
    delay: float = _FIRST_DELAY
    started_at: float = 0.0
    restart_at: float | None = None
    how_it_died: str = ""


class Supervisor:
    """Starts services in order, restarts those that die, and stops them in the reverse order.

    Use it as a context manager in the main thread. SIGINT, SIGTERM and SIGHUP ask it to stop, a second one
    not to wait. However the block is left, no child is left behind; should the supervisor itself be killed,
    the kernel tells its children (`spawn`), and the next start ends what remains (`end_leftovers`).
    """

    def __init__(self, say: Callable[[str], None], on_restart: Callable[[], None] = lambda: None) -> None:
        self._say = say
        self._on_restart = on_restart
        self._requests = 0
        self._stages: list[list[_Child]] = []
        self._old_handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._old_handlers = {number: signal.signal(number, self._request) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            self._stop()
        finally:
            for number, handler in self._old_handlers.items():
                signal.signal(number, handler)
        return kind is not None and issubclass(kind, Interrupted)

    def check(self) -> None:
        """Gives up waiting if somebody asked to stop.

        Raises:
            Interrupted: somebody did.
        """
        if self._requests:
            raise Interrupted

    def start(self, *services: Service) -> None:
        """Starts `services` side by side and waits for all; they are stopped together, too.

        Raises:
            EnvironmentProblem: one of them did not start.
            Interrupted: somebody asked to stop.
        """
        stage: list[_Child] = []
        self._stages.append(stage)
        for service in services:
            self.check()
            stage.append(_Child(service, started_at=time.monotonic()))
            service.spawn()
        for service in services:
            service.wait_ready(self.check)

    def run_errand(self, errand: Service) -> None:
        """Runs a program to its end before anything else is started.

        Raises:
            EnvironmentProblem: it failed.
            Interrupted: somebody asked to stop.
        """
        self.check()
        errand.start(self.check)
        errand.stop()

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Watches over the children until somebody asks to stop or `until` is true."""
        while not self._requests and not until():
            for child in self._children():
                self._watch(child)
            time.sleep(_POLL)

    def pids(self) -> dict[str, int]:
        """The process of each service that is running."""
        services = [child.service for child in self._children()]
        return {service.name: service.process.pid for service in services if service.process}

    def _request(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._requests += 1

    def _children(self) -> list[_Child]:
        return [child for stage in self._stages for child in stage]

    def _watch(self, child: _Child) -> None:
        now = time.monotonic()
        if child.restart_at is not None:
            if now >= child.restart_at:
                self._restart(child)
        elif not child.service.is_running():
            if now - child.started_at > _STEADY_AFTER:
                child.delay = _FIRST_DELAY
            child.how_it_died = _how_it_died(child.service)
            child.restart_at = now + child.delay
            child.delay = min(2 * child.delay, _LONGEST_DELAY)

    def _restart(self, child: _Child) -> None:
        service = child.service
        child.restart_at, child.started_at = None, time.monotonic()
        try:
            service.spawn()
        except (EnvironmentProblem, OSError) as error:
            self._say(f"{service.name} died ({child.how_it_died}) and could not be restarted: {error}")
            child.restart_at = time.monotonic() + child.delay
            return
        self._say(f"{service.name} died ({child.how_it_died}), restarted as pid {self.pids()[service.name]}")
        self._on_restart()

    def _stop(self) -> None:
        for stage in reversed(self._stages):
            stop_together([child.service for child in reversed(stage)], lambda: self._requests >= _TO_KILL)


def _how_it_died(service: Service) -> str:
    code = service.process.returncode if service.process is not None else None
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
