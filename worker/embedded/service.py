"""A server or worker that runs as a child of claimd."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from worker.embedded.files import last_line
from worker.embedded.process import StopSteps, end
from worker.errors import EnvironmentProblem

_POLL = 0.02


class Service(ABC):
    """One named child: knows how to start it, whether it answers, and how to stop it in good order."""

    name: str
    log: Path
    stop_steps: ClassVar[StopSteps] = ((signal.SIGTERM, 10.0),)
    start_timeout: ClassVar[float] = 60.0
    process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def spawn(self) -> None:
        """Starts the child and does not wait for it; also after it died, then with the same address."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers."""

    def start(self) -> None:
        """Starts the child and waits until it answers.

        Raises:
            EnvironmentProblem: it ended, or did not answer in time.
        """
        try:
            self.spawn()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def wait_ready(self) -> None:
        """Waits until it answers.

        Raises:
            EnvironmentProblem: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + self.start_timeout
        while not self.is_ready():
            if not self.is_running():
                raise EnvironmentProblem(f"{self.name} did not start: {self.complaint()}")
            if time.monotonic() > deadline:
                raise EnvironmentProblem(
                    f"{self.name} did not answer within {self.start_timeout:.0f} s; see {self.log}."
                )
            time.sleep(_POLL)

    def complaint(self) -> str:
        """The last thing the child wrote, for people."""
        return f"{last_line(self.log) or 'it said nothing'} (see {self.log})"

    def is_running(self) -> bool:
        """Whether the child lives."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ends the child and everything that it started; harmless if it does not run."""
        if self.process is not None:
            end(self.process, self.stop_steps)
            self.process = None
