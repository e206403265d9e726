"""The programs `claimd api`, `claimd worker` and so on as children of `claimd up`."""

import http.client
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import worker
from worker.embedded.process import Command, spawn
from worker.embedded.service import Service

_HEALTHY = 200


@dataclass(frozen=True)
class Surroundings:
    """What all programs of one `claimd up` have in common."""

    data_dir: Path
    environment: Mapping[str, str]

    def log(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"


class Program(Service):
    """One of claimd's programs; it is ready once it runs or, with a health address, once that answers 200."""

    def __init__(
        self, name: str, arguments: Sequence[str], surroundings: Surroundings, health: str | None = None
    ) -> None:
        super().__init__(name, surroundings.log(name))
        self._surroundings = surroundings
        self._arguments = arguments
        self._health = health

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the program."""
        # -P: the folder that the user happens to be in must not be searched for modules.
        argv = [sys.executable, "-P", "-m", "worker.cli.main", *self._arguments]
        environment = {**os.environ, **_module_path(), **self._surroundings.environment}
        return spawn(Command(argv=argv, env=environment, cwd=self._surroundings.data_dir), self.log)

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
