"""`claimd batch revert` and `claimd subscription plan` against a running claimd."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Up


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two devices that no other test claims."""
    path = tmp_path / "two.csv"
    path.write_text("device_id\nemu150\nemu151\n", encoding="utf-8")
    return path


@pytest.fixture
def batch(beside: Cli, up: Up, file: Path) -> dict[str, Any]:
    """The batch that has claimed them, or found them claimed."""
    found: dict[str, Any] = beside("claim", str(file), "--project", up.project, "--fail-on-rows", "--json").json
    return found


def test_a_batch_is_planned_and_then_reverted(beside: Cli, up: Up, file: Path, batch: dict[str, Any]) -> None:
    day = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    plan = ("subscription", "plan", "--project", up.project, "--activate")
    listed = beside(*plan, day, str(file), "--watch", "--json").json
    assert (listed["activate_on"], listed["file_name"], listed["totals"]) == (day, "two.csv", {"scheduled": 2})
    assert beside(*plan, "now", "--batch", batch["id"], "--watch", "--json").json["totals"] == {"scheduled": 2}
    assert "scheduled" in beside(*plan, day, "--all", "--watch").out
    reverted = beside("batch", "revert", batch["id"], "--watch", "--json").json
    assert (reverted["parent"], reverted["totals"]) == (batch["id"], {"released": 2})
    assert beside("batch", "show", batch["id"], "--json").json["state"] == "reverted"
    refused = beside("batch", "revert", batch["id"], "--json")
    assert (refused.code, refused.problem["type"]) == (3, "wrong-state")


@pytest.mark.parametrize("choice", [[], ["--all", "--batch", "bat_1"], ["two.csv", "--all"]])
def test_a_plan_names_its_devices_in_one_way(beside: Cli, up: Up, choice: list[str]) -> None:
    answer = beside("subscription", "plan", "--project", up.project, "--activate", "now", *choice)
    assert answer.code == 2
    assert "one way" in answer.err


def test_a_day_that_is_none_is_refused_by_the_server(beside: Cli, up: Up) -> None:
    answer = beside("subscription", "plan", "--project", up.project, "--activate", "soon", "--all", "--json")
    assert (answer.code, answer.problem["type"]) == (3, "invalid-request")
