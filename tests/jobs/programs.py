"""claimd's programs as real processes, for tests to send signals to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from tests.embedded.waiting import wait_until
from worker.settings import Settings
from worker.tasks.environment import environment_of

PROGRAM = [sys.executable, "-P", "-m", "worker.cli.main"]
ALL_QUEUES = ("--queue", "interactive", "--queue", "bulk", "--queue", "periodic")


class Process(Protocol):
    """What tests need of a process: a child's `Popen`, or the like for one that is no child."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def kill(self) -> None: ...

    def send_signal(self, sig: int) -> None: ...


@dataclass
class Program:
    """A running program and what it wrote to standard error."""

    process: Process
    log: Path

    @property
    def celery(self) -> psutil.Process:
        """The main process of a worker's Celery."""
        wait_until(lambda: psutil.Process(self.process.pid).children())
        return psutil.Process(self.process.pid).children()[0]

    @property
    def children(self) -> list[psutil.Process]:
        """The processes of a worker that carry out tasks."""
        return self.celery.children()

    def said(self, words: str, times: int = 1) -> bool:
        """Whether the log has `words` at least so many times."""
        return self.log.read_text(encoding="utf-8").count(words) >= times

    def wait_ready(self, times: int = 1, seconds: float = 30.0) -> None:
        """Wait until it says for the n-th time that it is ready."""
        wait_until(lambda: self.said("ready", times) or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program itself."""
        self.process.send_signal(number)

    def stop(self, seconds: float = 20.0) -> int:
        """End it in good order; returns its exit code."""
        self.send(signal.SIGTERM)
        return self.process.wait(seconds)


@contextmanager
def running(settings: Settings, log: Path, *arguments: str, program: Sequence[str] = PROGRAM) -> Iterator[Program]:
    """`claimd ARGUMENTS` with these settings, once it is ready; whatever is left of it afterwards is killed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*program, *arguments],
            env=environment_of(settings),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    started = Program(process, log)
    try:
        started.wait_ready()
        yield started
    finally:
        kill_tree(process)


def worker(settings: Settings, log: Path, *, concurrency: int = 2) -> AbstractContextManager[Program]:
    """`claimd worker` on all queues, ready to take messages."""
    return running(settings, log, "worker", *ALL_QUEUES, "--concurrency", str(concurrency))


def run(settings: Settings, folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a command that ends by itself."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        env=environment_of(settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def kill_tree(process: Process) -> None:
    """Kill a program and all that it started, in whatever sessions."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
