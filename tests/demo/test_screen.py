"""What `claimd demo` draws, on a terminal and elsewhere."""

import shutil
import sys
from pathlib import Path

import pytest

from worker.cli.demo_screen import Screen

FAILED = [
    {"Device ID": "", "Kit ID": "KIT\x1b[2J", "Serial number": "", "row": "7", "outcome": "not_found", "hint": "-"}
]
BATCH = {"file_name": "a.csv", "state": "completed", "totals": {"claimed": 1_234}}

DEVICES = [
    {
        "device_id": "SNS\x1b[2J",
        "prepaid_months": 12,
        "subscription": {
            "state": "active",
            "starts_at": "2027-11-30T09:00:00.000000Z",
            "ends_at": "2028-11-30T09:00:00.000000Z",
        },
    }
]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_sees_each_step_begin_and_a_bar_of_rows(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=False)
    screen.begin("Doing it")
    with screen.progress() as show:
        show({"state": "resolving", "rows_done": 0, "rows_total": None})
        show({"state": "applying", "rows_done": 2_500, "rows_total": 5_000})
        show({"state": "completed", "rows_done": 5_000, "rows_total": 5_000})
    screen.end("Did it")
    shown = capsys.readouterr().out
    assert "… Doing it" in shown
    assert "completed" in shown
    assert "5,000 of 5,000 rows" in shown
    assert "✔" in shown


@pytest.mark.usefixtures("terminal")
def test_what_is_said_after_an_unfinished_step_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=False)
    screen.begin("Doing it")
    screen.leave()
    screen.leave()
    assert capsys.readouterr().out.endswith("\r\n")


def test_elsewhere_what_was_done_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=False)
    screen.begin("Doing it")
    with screen.progress() as show:
        show({"state": "applying", "rows_done": 2_500, "rows_total": 5_000})
        show({"state": "completed", "rows_done": 5_000, "rows_total": 5_000})
    screen.end("Did it")
    screen.note("api died, restarted")
    screen.leave()
    bar, done, note = capsys.readouterr().out.splitlines()
    assert bar.startswith("    completed ━━━")
    assert bar.rstrip().endswith("━ 5,000 of 5,000 rows")
    assert done.split() == ["✔", "Did", "it", "0.0", "s"]
    assert note == "  ! api died, restarted"


def test_the_users_own_cells_cannot_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(quiet=False).show(BATCH, FAILED, DEVICES, Path("a\x1bb.csv"))
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "KIT\ufffd[2J" in shown
    assert "SNS\ufffd[2J" in shown


def test_prepaid_time_is_shown_to_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(quiet=False).show(BATCH, FAILED, DEVICES, Path("report.csv"))
    assert "active        2027-11-30 09:00:00  2028-11-30 09:00:00" in capsys.readouterr().out


@pytest.mark.parametrize(("known", "called"), [(None, "'/my home/bin/claimd' up"), ("/usr/bin/claimd", "claimd up")])
def test_claimd_is_called_as_its_user_can_call_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known: str | None, called: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["/my home/bin/claimd"])
    monkeypatch.setattr(shutil, "which", lambda _name: known)
    Screen(quiet=False).show(BATCH, [], [], Path("report.csv"))
    assert f"running. {called} starts it" in capsys.readouterr().out


def test_quiet_it_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=True)
    screen.begin("Doing it")
    with screen.progress() as show:
        show({"state": "applying", "rows_done": 2_500, "rows_total": 5_000})
    screen.end("Did it")
    screen.show(BATCH, FAILED, DEVICES, Path("report.csv"))
    assert capsys.readouterr().out == ""
