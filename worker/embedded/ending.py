"""How children, and what is left of them, are ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

StopSteps = Sequence[tuple[signal.Signals, float]]
"""Signals to send, and how many seconds to wait after each; SIGKILL comes last by itself."""

_POLL = 0.01
_LAST: StopSteps = ((signal.SIGKILL, 5.0),)


def at_leisure() -> bool:
    """Nobody is in a hurry."""
    return False


def end_together(children: Sequence[tuple[subprocess.Popen[bytes], StopSteps]], hurry: Callable[[], bool]) -> None:
    """Ends children side by side, each by its own steps and with its group; `hurry` skips the waits."""
    endings = [_Ending(process, steps) for process, steps in children]
    while any([not ending.advance(hurry=hurry()) for ending in endings]):  # noqa: C419  # every one has to move
        time.sleep(_POLL)


def kill_group(group: int) -> None:
    """Kills every process of a group that we made."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def servers_in(folder: Path, name: str) -> list[psutil.Process]:
    """The processes of the program `name` that work in `folder`: there is no mistaking whose they are."""

    def is_one(process: psutil.Process) -> bool:
        return process.name() == name and Path(process.cwd()) == folder

    return _processes(is_one)


def marked(name: str, value: str) -> list[psutil.Process]:
    """The processes that were started with this environment variable, and their descendants."""
    return _processes(lambda process: process.environ().get(name) == value)


def end_leftovers(find: Callable[[], Iterable[psutil.Process]], steps: StopSteps) -> None:
    """Ends what an earlier claimd that was killed left running."""
    for number, grace in (*steps, *_LAST):
        leftovers = {process.pid: process for process in find()}
        for process in leftovers.values():
            with suppress(psutil.Error):
                # A server ends its own children, unless it is dead itself or about to be killed.
                if number == signal.SIGKILL or process.ppid() not in leftovers:
                    process.send_signal(number)
        if not psutil.wait_procs(leftovers.values(), timeout=grace)[1]:
            return


class _Ending:
    """How far the ending of one child has come."""

    def __init__(self, process: subprocess.Popen[bytes], steps: StopSteps) -> None:
        self._process = process
        self._steps = iter((*steps, (signal.SIGKILL, float("inf"))))
        self._next_at = 0.0

    def advance(self, *, hurry: bool) -> bool:
        """Sends the next signal if it is time; true once the child and its group are gone."""
        if self._process.poll() is not None:
            kill_group(self._process.pid)
            return True
        now = time.monotonic()
        if self._next_at != float("inf") and (hurry or now >= self._next_at):
            number, grace = next(self._steps)
            self._next_at = now + grace
            self._process.send_signal(number)
        return False


def _processes(is_one: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        # Others' processes may not be looked into, and any may end meanwhile.
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and is_one(process):
                found.append(process)
    return found
