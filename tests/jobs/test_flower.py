"""Flower shows which batch each task is for, to those who have the password, and changes nothing."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from tests.claims import Sender, send
from tests.embedded.waiting import wait_until
from tests.jobs.conftest import CSV
from tests.jobs.programs import Program, run, running, worker
from worker.embedded.ports import free_port
from worker.runtime import Runtime
from worker.settings import Settings

PASSWORD = "a pass:word"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"flower_port": free_port(), "flower_password": SecretStr(PASSWORD)})


@pytest.fixture
def flower(settings: Settings, tmp_path: Path) -> Iterator[Program]:
    with running(settings, tmp_path / "flower.log", "flower") as program:
        yield program


def _get(settings: Settings, path: str, password: str | None = PASSWORD, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{settings.flower_port}{path}", method=method)
    if password is not None:
        credentials = base64.b64encode(f"claimd:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own server
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


@pytest.mark.usefixtures("flower")
def test_the_tasks_of_a_batch_are_shown_with_its_id(
    settings: Settings, ringing: Runtime, sender: Sender, tmp_path: Path, completes: Callable[[str], None]
) -> None:
    with worker(settings, tmp_path / "worker.log"):
        wait_until(lambda: "interactive-" in _get(settings, "/api/workers?refresh=1")[1])
        batch_id = send(ringing, sender, CSV)
        completes(batch_id)
        wait_until(lambda: batch_id in _rows(settings))
    assert "claims.resolve" in _rows(settings)
    assert ">Batch<" in _get(settings, "/tasks")[1]
    assert "flower_events_total" in _get(settings, "/metrics")[1]
    assert "device-" not in _get(settings, "/api/tasks")[1]


def _rows(settings: Settings) -> str:
    columns = "draw=1&start=0&length=100&order[0][column]=0&columns[0][data]=name&order[0][dir]=asc"
    rows = json.loads(_get(settings, f"/tasks/datatable?{columns}")[1])["data"]
    return str([(row["name"], row["args"]) for row in rows])


@pytest.mark.usefixtures("flower")
def test_nobody_looks_without_the_password_and_nobody_changes_anything_with_it(settings: Settings) -> None:
    for path in ("/", "/tasks", "/workers", "/api/tasks", "/api/workers", "/broker"):
        assert _get(settings, path, password=None)[0] == 401
        assert _get(settings, path, password="wrong")[0] == 401
    assert _get(settings, "/tasks")[0] == 200
    for path in ("/api/worker/shutdown/x", "/api/task/async-apply/claims.resolve", "/api/task/revoke/x"):
        assert _get(settings, path, method="POST")[0] == 403


def test_the_password_is_no_argument_and_sigterm_ends_it(settings: Settings, flower: Program) -> None:
    assert PASSWORD not in str(psutil.Process(flower.process.pid).cmdline())
    assert _get(settings, "/healthcheck", password=None)[0] == 200
    assert flower.stop() == 0
    assert not flower.said("Traceback")


def test_flower_does_not_start_without_a_password(settings: Settings, tmp_path: Path) -> None:
    code, output = run(settings.model_copy(update={"flower_password": None}), tmp_path, "flower")
    assert code == 2
    assert "set CLAIMD_FLOWER_PASSWORD" in output


def test_flower_says_so_when_its_port_is_taken(settings: Settings, flower: Program, tmp_path: Path) -> None:
    assert flower.process.poll() is None
    code, output = run(settings, tmp_path, "flower")
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{settings.flower_port}" in output
