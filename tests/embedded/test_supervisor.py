"""Children are restarted, stopped in order, and never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.embedded.waiting import is_gone, wait_until

ROOT = Path(__file__).parents[2]


@contextmanager
def supervised(folder: Path, manner: str = "") -> Iterator["subprocess.Popen[str]"]:
    argv = [sys.executable, "-m", "tests.embedded.supervised", str(folder), manner]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def pids(folder: Path, kind: str) -> list[int]:
    path = folder / kind
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def assert_nothing_is_left(folder: Path) -> None:
    for pid in pids(folder, "children") + pids(folder, "grandchildren"):
        assert is_gone(pid)


def wait_for(folder: Path, name: str) -> None:
    wait_until((folder / name).exists)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_children_in_reverse_order(folder: Path, number: signal.Signals) -> None:
    with supervised(folder) as process:
        wait_for(folder, "ready")
        process.send_signal(number)
        assert process.wait(10) == 0
        assert (folder / "stopped").read_text().split()[-1] == "first"
        assert sorted((folder / "stopped").read_text().split()) == ["first", "second", "third"]
        assert_nothing_is_left(folder)


def test_ctrl_c_in_the_terminal_reaches_only_the_supervisor(folder: Path) -> None:
    with supervised(folder) as process:
        wait_for(folder, "ready")
        assert os.getpgid(process.pid) not in {os.getpgid(pid) for pid in pids(folder, "children")}
        process.send_signal(signal.SIGINT)
        process.wait(10)


def test_a_child_that_is_killed_comes_back_without_what_it_left(folder: Path) -> None:
    with supervised(folder) as process:
        wait_for(folder, "ready")
        killed, orphan = pids(folder, "children")[1], pids(folder, "grandchildren")[1]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(pids(folder, "children")) == 4)
        assert is_gone(orphan)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=10)[0]
        name, how = said.split(" ", 1)
        assert name in {"second", "third"}  # they start side by side
        assert how == f"died (signal 9), restarted as pid {pids(folder, 'children')[3]}\n"
        assert_nothing_is_left(folder)


def test_a_stop_in_the_middle_of_starting_leaves_nothing(folder: Path) -> None:
    with supervised(folder, "slow") as process:
        wait_until(lambda: len(pids(folder, "children")) == 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert not (folder / "ready").exists()
        assert_nothing_is_left(folder)


def test_children_that_will_not_stop_are_killed(folder: Path) -> None:
    with supervised(folder, "stubborn") as process:
        wait_for(folder, "ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert_nothing_is_left(folder)


def test_a_second_signal_does_not_wait(folder: Path) -> None:
    with supervised(folder) as process:
        wait_for(folder, "ready")
        for pid in pids(folder, "children"):
            os.kill(pid, signal.SIGSTOP)  # they cannot react to SIGTERM
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
        assert_nothing_is_left(folder)


def test_children_end_when_the_supervisor_is_killed(folder: Path) -> None:
    with supervised(folder) as process:
        wait_for(folder, "ready")
        process.kill()
        wait_until(lambda: all(is_gone(pid) for pid in pids(folder, "children")))
    for pid in pids(folder, "grandchildren"):
        os.kill(pid, signal.SIGKILL)  # the real programs see to their own; see `end_leftovers` for the rest
