"""A `claimd up` of our own, on a data folder that is thrown away."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from worker.doorbell import Doorbell
from worker.embedded.ending import at_leisure, end_together
from worker.embedded.process import Command, spawn
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings, load_settings

# Where Python finds this package.
ROOT = Path(__file__).parents[1]

_START_SECONDS = 120.0
_FLUSH_SECONDS = 1.0
_STOP_STEPS = ((signal.SIGTERM, 60.0),)


@dataclass(frozen=True)
class Installation:
    """A running claimd: where it is, and which processes belong to it."""

    folder: Path
    up: dict[str, Any]

    @property
    def settings(self) -> Settings:
        """Those of a program beside it."""
        return load_settings(
            data_dir=self.folder,
            database_url=SecretStr(self.up["database_url"]),
            broker_url=SecretStr(self.up["broker_url"]),
        )

    @contextmanager
    def runtime(self, doorbell: Doorbell | None = None) -> Iterator[Runtime]:
        """Its database, for programs beside it; `doorbell`: its workers, too."""
        runtime = build_runtime(self.settings, doorbell)
        try:
            yield runtime
        finally:
            runtime.doorbell.close(_FLUSH_SECONDS)
            runtime.close()


@contextmanager
def running_claimd(folder: Path, workers: int) -> Iterator[Installation]:
    """`claimd up` once it is ready, with `workers` processes for each queue."""
    arguments = ["up", "--data-dir", str(folder), "--port", "0", "--workers", str(workers)]
    log = folder.with_name(f"{folder.name}.log")
    # A database that the environment names is somebody's: the benchmark empties tables.
    environment = {**clean_environment(), "CLAIMD_WEBHOOK_ALLOW_PRIVATE": "1"}  # the receiver is on this machine
    command = Command(argv=[sys.executable, "-m", "worker.cli.main", *arguments], env=environment, cwd=ROOT)
    process = spawn(command, log)
    try:
        up = folder / "up.json"
        wait_for(lambda: up.exists() or process.poll() is not None, _START_SECONDS)
        if process.poll() is not None:
            raise RuntimeError(log.read_text(encoding="utf-8"))
        yield Installation(folder, json.loads(up.read_text(encoding="utf-8")))
    finally:
        end_together([(process, _STOP_STEPS)], at_leisure)


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of claimd."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CLAIMD_")}


def wait_for(happened: Callable[[], object], seconds: float, pause: float = 0.02) -> None:
    """Poll until `happened` is true.

    Raises:
        TimeoutError: it was not, in time.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(pause)
