"""Children that do not outlive claimd: how they are started."""

import ctypes
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.embedded.files import closing, open_log

_PR_SET_PDEATHSIG = 1


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
    descriptors: Sequence[int] = ()  # open files that the program finds under the same numbers


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
            pass_fds=command.descriptors,
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
        pass_fds=command.descriptors,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


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
