"""A whole claimd of real processes that tests hold at named places, kill there and start again."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.crash.nursery import Nursery
from tests.embedded.waiting import is_gone, wait_until
from tests.jobs.programs import ALL_QUEUES, Program, kill_tree
from worker.settings import Settings
from worker.tasks.environment import environment_of

SECONDS = 30.0
EVERYTHING = ("api", "worker", "beat")


class Places:
    """The crash points of all processes that were started with this folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def arm(self, place: str) -> None:
        """Hold the next process that comes to `place`."""
        (self.folder / f"{place}.armed").touch()

    def wait_held(self, place: str) -> int:
        """The pid of the process that is held there."""
        held = self.folder / f"{place}.held"
        wait_until(lambda: held.exists() and held.read_text() != "", SECONDS)
        return int(held.read_text())

    def release(self, place: str) -> None:
        """Let it go on, or let nobody be held there any more."""
        for ending in ("armed", "held"):
            (self.folder / f"{place}.{ending}").unlink(missing_ok=True)

    def release_all(self) -> None:
        """Let everybody go on, and hold nobody any more."""
        for pattern in ("*.armed", "*.held"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def reached(self) -> set[str]:
        """All places that any process came to since `record`."""
        return set((self.folder / "reached").read_text(encoding="utf-8").split())

    def record(self) -> None:
        """From now on note every place that is reached."""
        (self.folder / "reached").write_text("", encoding="utf-8")


class System:
    """API, worker and beat; each is started again by `restart` as a supervisor would."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.places = Places(folder / "places")
        self._folder = folder
        self._stack = ExitStack()
        self._nursery: Nursery | None = None
        self._arguments = {
            "api": ("api",),
            "worker": ("worker", *ALL_QUEUES, "--concurrency", "2"),
            "beat": ("beat",),
        }
        self.programs: dict[str, Program] = {}

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api_port}"

    def start(self) -> None:
        self._nursery = Nursery()
        self._stack.callback(self._nursery.close)
        for name in self._arguments:
            self._start(name)

    def stop(self) -> None:
        self._stack.close()

    def restart(self, name: str) -> None:
        """Kill what is left of a program, and start it again."""
        kill_tree(self.programs[name].process)
        self._start(name)

    def kill_held(self, place: str, victim: str) -> None:
        """SIGKILL for `victim` while a process is held at `place`; whatever has died is started again.

        A victim is the held "process" itself, a program, or "everything".
        """
        pid = self.places.wait_held(place)
        for name in EVERYTHING if victim == "everything" else [victim]:
            self._kill(pid if name == "process" else self.programs[name].process.pid)
        self.places.release(place)
        for name, program in self.programs.items():
            if program.process.poll() is not None:
                self.restart(name)

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: is_gone(pid))

    def _start(self, name: str) -> None:
        assert self._nursery is not None
        log = self._folder / f"{name}.log"
        log.unlink(missing_ok=True)  # or its "ready" could be the former one's
        process = self._nursery.fork(self._arguments[name], environment_of(self.settings), log)
        self._stack.callback(kill_tree, process)
        self.programs[name] = Program(process, log)
        wait_until(log.exists)
        self.programs[name].wait_ready()


@contextmanager
def whole_system(settings: Settings, folder: Path) -> Iterator[System]:
    """All processes on the servers of the settings, until the end."""
    system = System(settings, folder)
    os.environ["CLAIMD_CRASHPOINTS"] = str(system.places.folder)
    try:
        system.start()
        yield system
    finally:
        del os.environ["CLAIMD_CRASHPOINTS"]
        system.stop()
