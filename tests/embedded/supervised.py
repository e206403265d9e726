"""A program that supervises three children, for tests to send signals to.

Usage: python -m tests.embedded.supervised FOLDER [slow|stubborn]
"""

import signal
import subprocess
import sys
from pathlib import Path

import typer

from worker.embedded.process import Command, spawn
from worker.embedded.service import Service
from worker.embedded.supervisor import Supervisor

NAMES = ("first", "second", "third")


class Sleeper(Service):
    """Sleeps, with a child of its own; says so in a file when it is ready, and how it ends in another."""

    def __init__(self, name: str, folder: Path, manner: str) -> None:
        super().__init__(name, folder / f"{name}.log")
        self.stop_steps = ((signal.SIGTERM, 0.5 if manner == "stubborn" else 10.0),)
        self._folder = folder
        self._manner = manner

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts a shell with a background process."""
        trap = "trap '' TERM" if self._manner == "stubborn" else f"trap 'echo {self.name} >> stopped; exit' TERM"
        slow = self._manner == "slow" and self.name == "third"
        ready = "" if slow else f"touch {self.name}.ready;"
        script = f"{trap}; sleep 1000 & echo $! >> grandchildren; echo $$ >> children; {ready} wait; wait"
        return spawn(Command(argv=["/bin/sh", "-c", script], cwd=self._folder), self.log)

    def is_ready(self) -> bool:
        """Whether the shell has come that far."""
        return (self._folder / f"{self.name}.ready").exists()


def main(folder: Path, manner: str) -> None:
    """Supervises until told to stop."""
    first, second, third = (Sleeper(name, folder, manner) for name in NAMES)
    with Supervisor(typer.echo) as supervisor:
        supervisor.start(first)
        supervisor.start(second, third)
        (folder / "ready").touch()
        supervisor.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), (*sys.argv[2:], "")[0])
