"""`claimd up`, as a whole: what it starts, what it writes down, and that it leaves nothing behind."""

import base64
import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.embedded.waiting import wait_until
from worker.embedded.ending import marked, servers_in
from worker.embedded.instance import MARK

pytestmark = pytest.mark.timeout(300)
CLAIMD = [sys.executable, "-m", "worker.cli.main"]
NAMES = {"postgres", "broker", "api", "worker-interactive", "worker-bulk", "worker-periodic", "beat", "flower"}


@contextmanager
def started(data_dir: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A `claimd up` that is ready; killed at the end if it still runs."""
    argv = [*CLAIMD, "up", "--data-dir", str(data_dir), "--workers", "1", *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_until(lambda: (data_dir / "up.json").exists() or process.poll() is not None, 120)
            assert process.poll() is None, process.communicate()[0]
            yield process
        finally:
            process.kill()


def refused(*options: str, **environment: str) -> str:
    """What a `claimd up` says that must not start."""
    argv = [*CLAIMD, "up", *options]
    answer = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment}
    )
    assert answer.returncode == 2, answer
    return answer.stderr.splitlines()[-1]


def up_of(data_dir: Path) -> dict[str, Any]:
    return dict(json.loads((data_dir / "up.json").read_text()))


def left(data_dir: Path) -> list[psutil.Process]:
    servers = servers_in(data_dir / "postgres", "postgres") + servers_in(data_dir / "broker", "valkey-server")
    return marked(MARK, str(data_dir)) + servers


def status(url: str, path: str) -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("GET", path)
    code = connection.getresponse().status
    connection.close()
    return code


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="claimd up ") as name:
        yield Path(name) / "data"


@pytest.fixture(scope="module")
def running(data_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    with started(data_dir) as process:
        yield process


@pytest.fixture
def up(running: "subprocess.Popen[str]", data_dir: Path) -> dict[str, Any]:
    assert running.poll() is None
    return up_of(data_dir)


def test_it_says_where_everything_is_in_a_file_that_only_its_owner_can_read(up: dict[str, Any], data_dir: Path) -> None:
    assert set(up) == {
        *("api_url", "flower_url", "flower_user", "flower_password", "database_url", "broker_url"),
        *("organization_id", "project_id", "token", "pids"),
    }
    assert stat.S_IMODE((data_dir / "up.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_all_processes_run_and_answer(up: dict[str, Any]) -> None:
    assert set(up["pids"]) == NAMES
    assert all(psutil.pid_exists(pid) for pid in up["pids"].values())
    assert status(up["api_url"], "/healthz") == 200
    assert status(up["flower_url"], "/healthcheck") == 200
    assert status(up["flower_url"], "/workers") == 401
    with psycopg.connect(up["database_url"]) as connection:
        rows = connection.execute("select public_id from project").fetchall()
    assert rows == [(up["project_id"],)]


def test_secrets_are_long_private_and_not_logged(up: dict[str, Any], data_dir: Path) -> None:
    key = (data_dir / "secret.key").read_text().strip()
    assert len(base64.b64decode(key)) == 32
    files = [path for path in data_dir.iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    logs = "".join(path.read_text() for path in (data_dir / "logs").iterdir())
    passwords = [up[name].split(":")[2].split("@")[0] for name in ("database_url", "broker_url")]
    assert [secret for secret in (key, up["flower_password"], up["token"], *passwords) if secret in logs] == []


def test_a_second_one_on_the_same_folder_is_refused_in_one_sentence(up: dict[str, Any], data_dir: Path) -> None:
    assert "Another claimd is running in the data folder" in refused("--data-dir", str(data_dir))
    assert up_of(data_dir) == up


def test_a_port_that_was_asked_for_and_is_taken_is_refused(up: dict[str, Any], folder: Path) -> None:
    port = up["api_url"].rpartition(":")[2]
    assert f"Port {port} is taken" in refused("--data-dir", str(folder / "other"), "--port", port)


@pytest.mark.parametrize("name", ["api", "broker"])
def test_a_process_that_is_killed_is_replaced_and_the_file_says_so(
    up: dict[str, Any], data_dir: Path, name: str
) -> None:
    os.kill(up["pids"][name], signal.SIGKILL)
    wait_until(lambda: up_of(data_dir)["pids"][name] != up["pids"][name])
    again = up_of(data_dir)
    assert {key: value for key, value in again.items() if key != "pids"} == {
        key: value for key, value in up.items() if key != "pids"
    }


def test_after_ctrl_c_nothing_is_left_and_the_next_one_finds_the_same_database(
    up: dict[str, Any], running: "subprocess.Popen[str]", data_dir: Path
) -> None:
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    assert left(data_dir) == []
    assert not (data_dir / "up.json").exists()
    with started(data_dir) as again:
        assert up_of(data_dir)["project_id"] == up["project_id"]
        assert up_of(data_dir)["database_url"] == up["database_url"]
        again.kill()
        wait_until(lambda: not left(data_dir), 60)
        wait_until(lambda: not (data_dir / "up.json").exists())


def test_a_lost_key_is_not_replaced_by_another(folder: Path) -> None:
    (folder / "postgres").mkdir()
    assert "secret.key is missing" in refused("--data-dir", str(folder))


def test_a_database_that_cannot_be_reached_is_one_sentence(folder: Path) -> None:
    nowhere = "postgresql://claimd@127.0.0.1:9/claimd"
    said = refused("--data-dir", str(folder), CLAIMD_DATABASE_URL=nowhere, CLAIMD_BROKER_URL="redis://127.0.0.1:9/0")
    assert "127.0.0.1:9 cannot be used" in said
    assert left(folder) == []


@pytest.mark.parametrize("name", ["a file", "a file/below"])
def test_an_impossible_data_folder_is_one_sentence(folder: Path, name: str) -> None:
    (folder / "a file").touch()
    assert "cannot be used" in refused("--data-dir", str(folder / name))
