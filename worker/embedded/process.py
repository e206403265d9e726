"""Children that do not outlive claimd: how they are started and how they are ended."""

import ctypes
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from worker.embedded.files import closing, open_log

_PR_SET_PDEATHSIG = 1

StopSteps = Sequence[tuple[signal.Signals, float]]
"""Signals to send, and how many seconds to wait after each."""


@dataclass(frozen=True)
class Account:
    """A system account that a program runs under when claimd itself is root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program and the surroundings that it runs in."""

    argv: Sequence[str | Path]
    env: Mapping[str, str] | None = None
    cwd: Path = Path("/")
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGTERM


def spawn(command: Command, log: Path) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own, its output added to `log`.

    So Ctrl-C in the terminal reaches only claimd itself. Call it from the main thread: on Linux the child
    gets `death_signal` when the *thread* that started it ends.
    """
    account = command.account
    output = open_log(log)
    with warnings.catch_warnings(), closing(output):
        # Python 3.12 warns of forks while threads run; `preexec_fn` here does nothing but system calls.
        warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(  # noqa: S603  # our own programs
            [str(word) for word in command.argv],
            env=command.env,
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
            preexec_fn=_tie_to_parent(command.death_signal),  # noqa: PLW1509  # one system call
        )


def run(command: Command, text: str = "") -> "subprocess.CompletedProcess[str]":
    """Runs a short program to its end, with `text` as its input."""
    account = command.account
    return subprocess.run(  # noqa: S603  # our own programs
        [str(word) for word in command.argv],
        env=command.env,
        cwd=command.cwd,
        input=text,
        text=True,
        errors="replace",
        capture_output=True,
        check=False,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def end(process: subprocess.Popen[bytes], steps: StopSteps) -> None:
    """Ends `process` by the signals of `steps`, at last by SIGKILL, and whatever it left in its group."""
    for number, grace in steps:
        if process.poll() is None:
            send(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
    kill_group(process.pid)
    process.wait()


def kill_group(group: int) -> None:
    """Kills every process of a group that we made."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def send(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process that may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def processes_in(folder: Path, name: str) -> list[psutil.Process]:
    """The processes of program `name` whose working folder is `folder`: who they are cannot be mistaken."""
    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if process.info["name"] == name and Path(process.cwd()) == folder:
                found.append(process)
    return found


def end_leftovers(folder: Path, name: str, steps: StopSteps) -> None:
    """Ends what an earlier claimd that was killed left running in `folder`."""
    for number, grace in (*steps, (signal.SIGKILL, 5.0)):
        leftovers = processes_in(folder, name)
        if not leftovers:
            return
        pids = {process.pid for process in leftovers}
        for process in leftovers:
            with suppress(psutil.Error):
                # A server's own children follow it, unless it is dead.
                if process.ppid() not in pids:
                    process.send_signal(number)
        psutil.wait_procs(leftovers, timeout=grace)


def _tie_to_parent(number: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return tie
