"""`claimd demo` as a whole: what it shows, where it leaves the report, and that it leaves nothing else."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.embedded.waiting import wait_until
from worker.embedded.ports import hold

pytestmark = pytest.mark.timeout(300)
TOTALS = {
    "claimed": 7_545,
    "already_yours": 25,
    "already_claimed": 75,
    "not_claimable": 8,
    "not_found": 23,
    "duplicate": 83,
    "invalid_identifier": 24,
}
ROWS = 6_295
DEFAULT_PORTS = (8000, 5555)


@dataclass
class Run:
    """A `claimd demo` in a folder of its own, and all that it said."""

    process: "subprocess.Popen[str]"
    folder: Path
    out: str = ""
    err: str = ""

    def wait(self) -> "Run":
        self.out, self.err = self.process.communicate(timeout=200)
        return self

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def answer(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


def start(folder: Path, *options: str, **settings: str) -> Run:
    """Start it in `folder`, with temporary files in a folder there."""
    (folder / "tmp").mkdir(parents=True)
    argv = [sys.executable, "-m", "worker.cli.main", "demo", "--workers", "1", *options]
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), **settings}
    pipe = subprocess.PIPE
    return Run(subprocess.Popen(argv, cwd=folder, env=environment, text=True, stdout=pipe, stderr=pipe), folder)


@contextmanager
def taken(ports: tuple[int, ...]) -> Iterator[None]:
    """The ports belong to someone else; whoever has them already keeps them, also if he is only about to listen."""
    with ExitStack() as stack:
        for held in filter(None, map(hold, ports)):
            stack.callback(held.release)
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", held.number))
            listener.listen()
        yield


def alive_in(folder: Path) -> list[psutil.Process]:
    """The processes that work in `folder` or were told of it."""
    return [process for process in psutil.process_iter() if _belongs(process, str(folder))]


def _belongs(process: psutil.Process, folder: str) -> bool:
    with suppress(psutil.Error, OSError):
        texts = [process.cwd(), *process.cmdline(), *process.environ().values()]
        return process.pid != os.getpid() and any(folder in text for text in texts)
    return False


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="claimd demo ") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def runs(folder: Path) -> Iterator[tuple[Run, Run]]:
    """Two side by side while the default ports are taken: one for people, one for programs with a kept folder."""
    with taken(DEFAULT_PORTS):
        started = (start(folder / "people"), start(folder / "programs", "--json", "--data-dir", "kept data"))
        try:
            yield (started[0].wait(), started[1].wait())
        finally:
            for run in started:
                run.process.kill()


@pytest.fixture
def people(runs: tuple[Run, Run]) -> Run:
    return runs[0]


@pytest.fixture
def programs(runs: tuple[Run, Run]) -> Run:
    return runs[1]


def test_it_shows_what_became_of_the_devices_and_what_to_do_about_the_rest(people: Run) -> None:
    assert people.process.returncode == 0, people.err
    lines = [line.split() for line in people.out.splitlines()]
    shown = {line[0]: line[1] for line in lines if line and line[0] in TOTALS}
    assert shown == {outcome: f"{count:,}" for outcome, count in TOTALS.items()}
    assert ["9", "SNS-O1-O1742", "not_found"] in [line[:3] for line in lines]
    assert ["15", "1.23E+19", "invalid_identifier", "A", "spreadsheet"] in [line[:5] for line in lines]
    assert people.err == ""


def test_it_undoes_a_mistake_activates_the_rest_and_hears_of_it(people: Run) -> None:
    assert "reverted that: 25 devices are free again" in people.out
    assert "Received batch.completed as a webhook, and checked its signature" in people.out
    assert "Activated 7,545 subscriptions, and received subscriptions.activated" in people.out
    shown = [line.split() for line in people.out.splitlines() if line.startswith("  SNS-01-")]
    assert [(line[1], line[2], int(line[5][:4]) - int(line[3][:4])) for line in shown] == [
        ("12", "active", 1),
        ("36", "active", 3),
        ("60", "active", 5),
    ]


def test_its_report_tells_the_whole_story_and_stays(people: Run) -> None:
    report = people.folder / "claimd-demo-report.csv"
    assert f"Row by row: {report}" in people.out
    rows = list(csv.DictReader(io.StringIO(report.read_bytes().decode("utf-8-sig"), newline="")))
    assert Counter(row["outcome"] for row in rows) == TOTALS
    assert {int(row["row"]) for row in rows} == set(range(1, ROWS + 1))
    assert {row["Claim code"] for row in rows} == {"", "***"}


def test_nothing_else_is_left_of_it(people: Run) -> None:
    assert list(people.temporary.iterdir()) == []
    assert {path.name for path in people.folder.iterdir()} == {"claimd-demo-report.csv", "tmp"}
    assert alive_in(people.folder) == []


def test_programs_get_the_same_in_json(programs: Run) -> None:
    assert programs.process.returncode == 0, programs.err
    answer = programs.answer
    assert answer["batch"]["totals"] == TOTALS
    assert answer["batch"]["state"] == "completed"
    assert answer["batch"]["rows_total"] == ROWS
    assert [row["outcome"] for row in answer["failed"]][:3] == ["not_found", "invalid_identifier", "already_claimed"]
    assert [message["type"] for message in answer["webhooks"]] == ["batch.completed", "subscriptions.activated"]
    assert {message["data"]["batch_id"] for message in answer["webhooks"]} == {answer["batch"]["id"]}
    assert [device["subscription"]["state"] for device in answer["devices"]] == ["active"] * 3
    assert answer["report"] == str(programs.folder / "claimd-demo-report.csv")
    assert programs.err == ""


def test_in_the_same_folder_again_it_shows_the_same_with_new_goods(programs: Run) -> None:
    again = start(programs.folder / "again", "--json", "--data-dir", str(programs.folder / "kept data")).wait()
    assert again.process.returncode == 0, again.err
    assert again.answer["batch"]["totals"] == TOTALS
    assert again.answer["batch"]["id"] != programs.answer["batch"]["id"]
    assert again.answer["failed"][0]["Device ID"] == "SNS-O2-O1742"


def test_interrupted_it_stops_at_once_quietly_and_leaves_nothing(folder: Path) -> None:
    run = start(folder / "interrupted")
    wait_until(lambda: list(run.temporary.glob("*/up.json")) or run.process.poll() is not None, 120)
    run.process.send_signal(signal.SIGINT)
    run.wait()
    assert run.process.returncode == 130
    assert run.err == "Interrupted: everything has stopped.\n"
    assert list(run.temporary.iterdir()) == []
    assert alive_in(run.folder) == []


def test_a_start_that_fails_is_one_sentence(folder: Path) -> None:
    (folder / "a file").touch()
    run = start(folder / "failing", "--data-dir", str(folder / "a file")).wait()
    assert run.process.returncode == 2
    assert "cannot be used" in run.err
    assert len(run.err.splitlines()) == 1


def test_where_something_is_wrong_the_logs_that_it_names_are_kept(folder: Path) -> None:
    run = start(folder / "without broker", CLAIMD_BROKER_URL="redis://127.0.0.1:9/0").wait()
    assert run.process.returncode == 2
    log = Path(run.err.rpartition("(see ")[2].rstrip(")\n"))
    assert "Connection refused" in log.read_text()
    assert alive_in(run.folder) == []
