"""Programs of claimd, forked from a process that has read all of their code: a restart takes a moment, not seconds.

Run as a program, it forks `claimd ARGUMENTS` for each line of its standard input, and answers with the pid.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, cast

import psutil


class Forked:
    """What tests need to know of a process that is not a child of theirs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._process = psutil.Process(pid)

    def poll(self) -> int | None:
        return None if self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE else 0

    def wait(self, timeout: float | None = None) -> int:
        self._process.wait(timeout)
        return 0

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, sig: int) -> None:
        self._process.send_signal(sig)


class Nursery:
    """Such a process, and what it forks."""

    def __init__(self) -> None:
        words = [sys.executable, "-P", __file__]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def fork(self, arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> Forked:
        """Run `claimd ARGUMENTS` with this environment."""
        order = {"arguments": arguments, "environment": environment, "log": str(log)}
        orders, pids = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        orders.write(json.dumps(order).encode() + b"\n")
        orders.flush()
        return Forked(int(pids.readline()))

    def close(self) -> None:
        """End it; what it has forked goes on."""
        with self._process:
            self._process.kill()


def _serve() -> None:
    import api_stub.server  # noqa: F401, PLC0415  # read once, for all that are forked
    import worker.tasks.beat  # noqa: PLC0415
    import worker.tasks.parent  # noqa: F401, PLC0415
    from worker.cli.main import run  # noqa: PLC0415

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    for line in sys.stdin.buffer:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
            code = run(order["arguments"])
            sys.stderr.flush()
            os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become(order: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(order["environment"])
    log = Path(order["log"])
    os.chdir(log.parent)
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(nothing, 0)
    for number in (1, 2):
        os.dup2(output, number)


if __name__ == "__main__":
    _serve()
