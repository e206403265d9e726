"""`claimd pause`, `claimd drain` and `claimd resume` beside a running claimd."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import Answer, Cli, Up
from tests.embedded.waiting import wait_until


@pytest.fixture
def halting(beside: Cli) -> Iterator[Cli]:
    """The command line; whatever a test has halted goes on afterwards."""
    yield beside
    beside("resume")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one.csv"
    path.write_text("device_id\nemu199\n", encoding="utf-8")
    return path


def send(cli: Cli, up: Up, file: Path) -> Answer:
    """The answer to a batch."""
    return cli("claim", str(file), "--project", up.project, "--json")


def state(cli: Cli, batch_id: str) -> str:
    return str(cli("batch", "show", batch_id, "--json").json["state"])


def test_what_is_paused_is_shown_everywhere_and_goes_on_when_resumed(halting: Cli, up: Up, file: Path) -> None:
    organization = up.addresses["organization_id"]
    ordered = halting("pause", "--org", organization, "--reason", "an index is built", "--json").json
    assert [(each["kind"], each["organization_id"], each["queue"]) for each in ordered] == [
        ("pause", organization, None)
    ]
    assert halting("status", "--json").json["database"]["halts"][0]["reason"] == "an index is built"
    assert "an index is built" in halting("status").out
    assert len(httpx2.get(f"{up.addresses['api_url']}/readyz").json()["halts"]) == 1
    batch_id = send(halting, up, file).json["id"]
    assert state(halting, batch_id) == "received"
    assert halting("resume", "--org", organization, "--json").json == {"lifted": 1}
    wait_until(lambda: state(halting, batch_id) == "completed")
    assert "an index is built" not in halting("status").out


def test_what_is_drained_refuses_new_batches_until_it_is_resumed(halting: Cli, up: Up, file: Path) -> None:
    assert "interactive" in halting("drain", "--queue", "interactive").out
    refused = send(halting, up, file)
    assert (refused.code, refused.problem["type"]) == (3, "draining")
    assert halting("resume", "--json").json == {"lifted": 1}
    assert send(halting, up, file).code == 0


def test_halting_an_unknown_organization_is_refused(halting: Cli) -> None:
    assert halting("pause", "--org", "org_nobody").code == 3
