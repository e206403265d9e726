"""The programs `claimd api`, `claimd worker` and so on as children of `claimd up`."""

import http.client
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import worker
from worker.embedded.ending import end_leftovers, marked
from worker.embedded.process import Command, spawn
from worker.embedded.service import Service

_HEALTHY = 200
_MARK = "CLAIMD_UP_PROGRAM"


@dataclass(frozen=True)
class Surroundings:
    """What all programs of one `claimd up` have in common."""

    data_dir: Path
    environment: Mapping[str, str]  # the whole of it
    grace: float = 10.0  # for what a program is busy with when it is told to stop

    def log(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"


class Program(Service):
    """One of claimd's programs; it is ready once it runs or, with a health address, once that answers 200."""

    def __init__(
        self, name: str, arguments: Sequence[str], surroundings: Surroundings, health: str | None = None
    ) -> None:
        super().__init__(name, surroundings.log(name))
        self.stop_steps = ((signal.SIGTERM, surroundings.grace),)
        self._surroundings = surroundings
        self._arguments = arguments
        self._health = health
        self._mark = f"{surroundings.data_dir}:{name}"

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the program."""
        # -P: the folder that the user happens to be in must not be searched for modules.
        argv = [sys.executable, "-P", "-m", "worker.cli.main", *self._arguments]
        environment = {**self._surroundings.environment, **_module_path(), _MARK: self._mark}
        return spawn(Command(argv=argv, env=environment, cwd=self._surroundings.data_dir), self.log)

    def clean_up(self) -> None:
        """Ends what it left in other process groups: a killed worker's Celery."""
        end_leftovers(lambda: marked(_MARK, self._mark), ((signal.SIGTERM, 2.0),))

    def is_ready(self) -> bool:
        """Whether it runs and, if it has a health address, is healthy."""
        return self.is_running() and (self._health is None or _answers(self._health))


class Errand(Program):
    """A program that is done when it has ended well."""

    start_timeout = float("inf")

    def is_ready(self) -> bool:
        """Whether it has ended, with exit code 0."""
        return self.process is not None and self.process.poll() == 0


def _answers(address: str) -> bool:
    """Whether `host:port/path` answers; asked without any proxy."""
    where, _, path = address.partition("/")
    connection = http.client.HTTPConnection(where, timeout=2)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", f"/{path}")
        healthy = connection.getresponse().status == _HEALTHY
        connection.close()
        return healthy
    connection.close()
    return False


def _module_path() -> dict[str, str]:
    """How the child finds this very package, also in a checkout that was never installed."""
    home = str(Path(worker.__file__).parents[1])
    if home == sysconfig.get_path("purelib"):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))}
