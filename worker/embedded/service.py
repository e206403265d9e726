"""A server or worker that runs as a child of claimd."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from worker.embedded.ending import StopSteps, at_leisure, end_together
from worker.embedded.files import last_line
from worker.errors import EnvironmentProblem

_POLL = 0.02


def carry_on() -> None:
    """Nobody asked to stop waiting."""


class Service(ABC):
    """One named child: knows how to start it, whether it answers, and how to stop it in good order."""

    stop_steps: StopSteps = ((signal.SIGTERM, 10.0),)
    start_timeout: float = 60.0
    process: subprocess.Popen[bytes] | None = None

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log

    @abstractmethod
    def launch(self) -> subprocess.Popen[bytes]:
        """Makes what the child needs, and the child; after it died with the same address as before."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers."""

    def spawn(self) -> None:
        """Starts the child and does not wait for it; what is left of an earlier one is ended first."""
        self.stop()
        self.process = self.launch()

    def start(self, check: Callable[[], None] = carry_on) -> None:
        """Starts the child and waits until it answers; `check` may raise to give up.

        Raises:
            EnvironmentProblem: it ended, or did not answer in time.
        """
        try:
            self.spawn()
            self.wait_ready(check)
        except BaseException:
            self.stop()
            raise

    def wait_ready(self, check: Callable[[], None] = carry_on) -> None:
        """Waits until it answers.

        Raises:
            EnvironmentProblem: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + self.start_timeout
        while True:
            running = self.is_running()  # asked first: a program may end well between the two questions
            if self.is_ready():
                return
            check()
            if not running:
                said = last_line(self.log) or "it said nothing"
                raise EnvironmentProblem(f"{self.name} did not start: {said} (see {self.log})")
            if time.monotonic() > deadline:
                raise EnvironmentProblem(
                    f"{self.name} did not answer within {self.start_timeout:.0f} s (see {self.log})"
                )
            time.sleep(_POLL)

    def is_running(self) -> bool:
        """Whether the child lives."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ends the child and everything that it started; harmless if it does not run."""
        stop_together([self])

    def clean_up(self) -> None:  # noqa: B027  # most have nothing to do
        """What remains to be done after the child has ended."""


def stop_together(services: Sequence[Service], hurry: Callable[[], bool] = at_leisure) -> None:
    """Stops several services side by side; `hurry` skips the waits."""
    running = [(service.process, service.stop_steps) for service in services if service.process is not None]
    end_together(running, hurry)
    for service in services:
        if service.process is not None:
            service.clean_up()
            service.process = None
