"""`claimd claim` and `claimd batch` against a running claimd."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM, Cli, Up

_free = count(1)


@pytest.fixture
def device() -> Iterator[str]:
    """A device that no other test claims."""
    return iter([f"emu{next(_free)}"])


@pytest.fixture
def file(tmp_path: Path, device: Iterator[str]) -> Path:
    """A file with a good row and three bad ones."""
    path = tmp_path / "Lieferung ä.csv"
    path.write_text(f"device_id,room\n{next(device)},1\nnope,2\nbare1,3\nbad id,4\n", encoding="utf-8")
    return path


def test_a_file_is_claimed_and_its_failed_rows_are_shown(beside: Cli, up: Up, file: Path) -> None:
    answer = beside("claim", str(file), "--project", up.project, "--watch", "--reference", "Nr. 1")
    assert answer.code == 0
    for words in ("completed", "4 of 4", "claimed 1", "Nr. 1", "Lieferung ä.csv", "nope", "bad id", "not_found"):
        assert words in answer.out
    assert answer.err == ""


def test_failed_rows_end_with_1_where_asked(beside: Cli, up: Up, file: Path, tmp_path: Path) -> None:
    answer = beside("claim", str(file), "--project", up.project, "--fail-on-rows", "--json")
    assert (answer.code, answer.json["state"]) == (1, "completed")
    good = tmp_path / "good.csv"
    good.write_text(file.read_text(encoding="utf-8").split("nope")[0], encoding="utf-8")
    again = beside("claim", str(good), "--project", up.project, "--fail-on-rows", "--json")
    assert (again.code, again.json["totals"]) == (0, {"already_yours": 1})
    assert beside("batch", "show", answer.json["id"], "--fail-on-rows").code == 1


def test_without_watching_the_answer_comes_at_once(beside: Cli, up: Up, file: Path) -> None:
    answer = beside("claim", str(file), "--project", up.project, "--json")
    assert answer.code == 0
    assert answer.json["file_name"] == "Lieferung ä.csv"
    assert beside("batch", "show", answer.json["id"], "--watch", "--json").json["state"] == "completed"


def test_an_atomic_batch_that_is_rejected_ends_with_3(beside: Cli, up: Up, file: Path) -> None:
    answer = beside("claim", str(file), "--project", up.project, "--atomic", "--watch")
    assert answer.code == 3
    assert "rejected" in answer.out


def test_a_limit_of_claims_is_kept(beside: Cli, up: Up, file: Path) -> None:
    answer = beside("claim", str(file), "--project", up.project, "--max-claims", "0", "--watch", "--json")
    assert (answer.code, answer.json["state"]) == (3, "rejected")


def test_a_preview_is_confirmed(beside: Cli, up: Up, file: Path) -> None:
    shown = beside("claim", str(file), "--project", up.project, "--preview", "--watch", "--json")
    assert (shown.code, shown.json["state"]) == (0, "previewed")
    done = beside("batch", "confirm", shown.json["id"], "--require-unchanged", "--watch", "--json")
    assert (done.code, done.json["state"], done.json["totals"]["claimed"]) == (0, "completed", 1)


def test_a_preview_is_cancelled(beside: Cli, up: Up, file: Path) -> None:
    shown = beside("claim", str(file), "--project", up.project, "--preview", "--watch", "--json").json
    assert beside("batch", "cancel", shown["id"]).code == 0
    assert beside("batch", "show", shown["id"], "--json").json["state"] == "cancelled"


def test_what_makes_no_sense_is_refused(beside: Cli, up: Up, file: Path) -> None:
    batch = beside("claim", str(file), "--project", up.project, "--watch", "--json").json
    for action in ("confirm", "cancel", "resume"):
        answer = beside("batch", action, batch["id"])
        assert answer.code == 3, action
    assert beside("batch", "cancel", batch["id"], "--json").problem["status"] == 409
    assert beside("claim", str(file), "--project", "prj_none").code == 3
    assert beside("batch", "show", "bat_none").code == 3
    assert beside("batch", "list", "--cursor", "nonsense").code == 3


def test_the_same_key_twice_is_one_batch(beside: Cli, up: Up, file: Path) -> None:
    command = ["claim", str(file), "--project", up.project, "--idempotency-key", file.parent.name, "--json"]
    assert beside(*command).json["id"] == beside(*command).json["id"]


def test_standard_input_is_claimed(up: Up, file: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "claim", "-", "--project", up.project, "--watch", "--json", "--data-dir", str(up.folder)],
        input=file.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["rows_total"] == 4


def test_batches_are_listed_page_by_page(beside: Cli, up: Up, file: Path) -> None:
    newest = beside("claim", str(file), "--project", up.project, "--watch", "--json").json["id"]
    beside("claim", str(file), "--project", up.project, "--watch")
    page = beside("batch", "list", "--limit", "1", "--project", up.project, "--json").json
    following = beside("batch", "list", "--limit", "1", "--project", up.project, "--cursor", page["next_cursor"])
    assert newest in following.out
    assert "--cursor" in following.out
    assert beside("batch", "list", "--state", "failed", "--json").json["items"] == []


def test_results_are_listed_by_outcome(beside: Cli, up: Up, file: Path) -> None:
    batch = beside("claim", str(file), "--project", up.project, "--watch", "--json").json["id"]
    page = beside("batch", "results", batch, "--outcome", "not_found", "--json").json
    assert [(item["row"], item["input"]["room"]) for item in page["items"]] == [(2, "2")]
    assert "not_claimable" in beside("batch", "results", batch).out


def test_a_report_is_saved_and_its_failed_rows_are_sent_again(beside: Cli, up: Up, file: Path, tmp_path: Path) -> None:
    batch = beside("claim", str(file), "--project", up.project, "--watch", "--json").json["id"]
    saved = tmp_path / "report.csv"
    assert beside("batch", "report", batch, "-o", str(saved)).out == ""
    text = saved.read_text(encoding="utf-8-sig")
    assert len(list(csv.reader(io.StringIO(text)))) == 5
    printed = beside("batch", "report", batch)
    assert printed.out.removeprefix("\ufeff").splitlines() == text.splitlines()
    assert [json.loads(line)["row"] for line in beside("batch", "report", batch, "--json").out.splitlines()] == [
        1,
        2,
        3,
        4,
    ]
    beside("batch", "report", batch, "--only-failed", "-o", str(saved))
    again = beside("claim", str(saved), "--project", up.project, "--parent", batch, "--watch", "--json").json
    assert (again["parent"], again["rows_total"]) == (batch, 3)


def test_a_report_that_cannot_be_written_leaves_nothing(beside: Cli, up: Up, file: Path, tmp_path: Path) -> None:
    batch = beside("claim", str(file), "--project", up.project, "--watch", "--json").json["id"]
    before = sorted(tmp_path.iterdir())
    assert beside("batch", "report", batch, "-o", str(tmp_path / "none" / "report.csv")).code == 2
    assert beside("batch", "report", "bat_none", "-o", str(tmp_path / "report.csv")).code == 3
    assert sorted(tmp_path.iterdir()) == before
