"""A worker's hand: one step of a batch in a process of its own, which can be held, stopped and killed.

Run as a program it forks a hand for each line of its standard input, and answers with its pid: whoever has read all
of the code already can begin at once.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Self, cast

from billiard.util import set_pdeathsig  # type: ignore[attr-defined]  # missing in its stubs

from tests.crash.points import ROOT
from tests.embedded.waiting import is_gone, wait_until
from worker.batches import work
from worker.doorbell import SilentDoorbell
from worker.runtime import build_runtime
from worker.settings import Settings, load_settings
from worker.states import Queue, WorkKind
from worker.tasks.environment import environment_of

_RANG, _DONE = "rang: ", "done"


@dataclass(frozen=True)
class Hand:
    """The process, seen by the test."""

    pid: int
    output: Path

    def rings(self) -> list[str]:
        """What it has rung for, once it has ended."""
        wait_until(lambda: is_gone(self.pid))
        lines = self.output.read_text(encoding="utf-8").splitlines()
        assert lines[-1:] == [_DONE], lines
        return [line.removeprefix(_RANG) for line in lines if line.startswith(_RANG)]

    def park(self) -> None:
        """Let it stand still, as a machine that sleeps."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)


class Hands:
    """The process that forks them; `places` is the folder of their crash points."""

    def __init__(self, places: Path) -> None:
        self._started: list[int] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env=os.environ | {"CLAIMD_CRASHPOINTS": str(places)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def start(self, settings: Settings, output: Path, kind: WorkKind, batch_id: str) -> Hand:
        """A process that carries out this step of the batch."""
        order = {"environment": environment_of(settings), "output": str(output), "step": (kind, batch_id)}
        orders, pids = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        orders.write(json.dumps(order).encode() + b"\n")
        orders.flush()
        self._started.append(int(pids.readline()))
        return Hand(self._started[-1], output)

    def end(self) -> None:
        """Kill what is left of them."""
        for pid in self._started:
            if not is_gone(pid):
                os.kill(pid, signal.SIGKILL)
        self._started.clear()


class _TellingDoorbell(SilentDoorbell):
    def ring(self, kind: WorkKind, batch_id: str, queue: Queue, times: int = 1) -> None:  # noqa: ARG002  # as it is
        _say(_RANG + kind)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _serve() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        _say(str(pid))


def _become(order: dict[str, Any]) -> None:
    set_pdeathsig(signal.SIGKILL)  # whoever is held must not outlive the test run
    os.environ.clear()
    os.environ.update(order["environment"])
    os.dup2(os.open(order["output"], os.O_WRONLY | os.O_CREAT), sys.stdout.fileno())
    kind, batch_id = order["step"]
    steps = {WorkKind.RESOLVE: work.run_resolve, WorkKind.APPLY: work.run_apply, WorkKind.FINISH: work.run_finish}
    runtime = replace(build_runtime(load_settings()), doorbell=_TellingDoorbell())
    steps[WorkKind(kind)](runtime, batch_id)
    runtime.close()
    _say(_DONE)
    os._exit(0)


if __name__ == "__main__":
    _serve()
