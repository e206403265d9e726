"""A backup of a running claimd, restored: sound, it goes on where it was, and what came later is named."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from tests.cli.conftest import Cli, Up
from tests.cli.page import run_block
from tests.embedded.waiting import wait_until
from tests.jobs.programs import worker
from tests.servers import drop_database
from worker.settings import Settings


class Load:
    """Batches, one after the other, for as long as the block lasts."""

    def __init__(self, client: httpx2.Client, up: Up) -> None:
        self.sent: list[str] = []
        self._client = client
        self._path = f"/v1/projects/{up.project}/claim-batches"
        self._over = threading.Event()

    def send(self) -> str:
        """One batch; returns its ID."""
        device = f"emu{160 + len(self.sent) % 20}"
        answer = self._client.post(self._path, files={"file": ("load.csv", f"device_id\n{device}\n".encode())})
        assert answer.status_code == 202, answer.text
        self.sent.append(answer.json()["id"])
        return self.sent[-1]

    def _go_on(self) -> None:
        while not self._over.is_set():
            self.send()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._go_on)
        thread.start()
        try:
            wait_until(lambda: len(self.sent) > 5)
            yield
        finally:
            self._over.set()
            thread.join()


@pytest.fixture
def load(up: Up) -> Iterator[Load]:
    """A sender."""
    headers = {"Authorization": f"Bearer {up.addresses['token']}"}
    with httpx2.Client(base_url=up.addresses["api_url"], headers=headers, timeout=30) as client:
        yield Load(client, up)


@pytest.fixture
def restored_url(up: Up) -> Iterator[str]:
    """Where the page restores to."""
    url = up.addresses["database_url"].rpartition("/")[0] + "/claimd_restored"
    yield url
    drop_database(url)


@pytest.fixture
def restored(settings: Settings, up: Up, restored_url: str) -> Settings:
    """Those of programs on the restored database."""
    key = (up.folder / "secret.key").read_text(encoding="ascii").strip()
    changed = {**settings.model_dump(exclude_unset=True), "database_url": restored_url, "secret_key": key}
    return Settings.model_validate(changed)


def unfinished(url: str) -> set[str]:
    """The batches that somebody has to work on."""
    query = "select b.public_id from batch b join work_item w on w.batch_key = b.key where w.done_at is null"
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute(query)}


def test_a_backup_under_load_goes_on_where_it_was_and_names_what_came_later(
    beside: Cli, up: Up, load: Load, restored: Settings, restored_url: str, tmp_path: Path
) -> None:
    original = {"CLAIMD_DATA_DIR": str(up.folder), "CLAIMD_DATABASE_URL": up.addresses["database_url"]}
    moved = {**original, "CLAIMD_DATABASE_URL": restored_url}
    with load.running():
        beside("pause", "--queue", "interactive")
        waiting = load.send()
        run_block("backup", tmp_path, **original)
        beside("resume")
    later = [load.send() for _ in range(3)]
    run_block("restore", tmp_path, RESTORED_URL=restored_url, **original)
    run_block("check", tmp_path, **moved)
    assert waiting in unfinished(restored_url)
    beside.environment.setenv("CLAIMD_DATABASE_URL", restored_url)
    assert beside("resume", "--json").json == {"lifted": 1}
    with worker(restored, tmp_path / "worker.log"):
        wait_until(lambda: not unfinished(restored_url))
    assert beside("verify").code == 0
    named = _lost(beside, up)
    known = load.sent.index(waiting)
    assert [each["batch_id"] for each in named][-3:] == later
    assert {each["batch_id"] for each in named} == set(load.sent) - _known(restored_url)
    assert set(load.sent[: known + 1]) <= _known(restored_url)
    assert {each["file_name"] for each in named} == {"load.csv"}


def _lost(beside: Cli, up: Up) -> list[dict[str, Any]]:
    answer = beside("lost", str(up.folder / "logs" / "api.log"), "--json")
    assert answer.code == 1
    return list(json.loads(answer.out))


def _known(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("select public_id from batch")}
