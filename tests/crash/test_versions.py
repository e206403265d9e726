"""A rolling restart from the version before to this one, under load: they run side by side on the newer schema."""

import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text

from tests.api.serving import Tenant
from tests.claims import holders
from tests.conftest import SECRET_KEY
from tests.crash.points import ROOT
from tests.embedded.waiting import wait_until
from tests.jobs.programs import run, running, worker
from tests.servers import drop_database, fresh_database
from worker.embedded.ports import free_port
from worker.operations.verify import verify
from worker.runtime import build_runtime
from worker.settings import Settings

PER_BATCH = 5
SECONDS = 30.0

_OPEN = text("select count(*) from work_item where done_at is null")
_STATES = text("select public_id, state from batch")


def _git(*arguments: str) -> bytes | None:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """The code of the last tag before this commit."""
    tag = _git("describe", "--tags", "--abbrev=0", "HEAD^")
    if tag is None:
        pytest.skip("no version was tagged before this one, so there is none to upgrade from")
    code = _git("archive", tag.decode().strip(), "worker", "api_stub")
    assert code is not None
    with tarfile.open(fileobj=io.BytesIO(code)) as archive:
        archive.extractall(tmp_path / "former", filter="data")
    return tmp_path / "former"


@pytest.fixture
def settings(postgres_url: str, broker_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Of both versions, on an empty database."""
    url = fresh_database(postgres_url)
    yield Settings.model_validate(
        {
            "database_url": url,
            "broker_url": broker_url,
            "secret_key": SECRET_KEY,
            "data_dir": tmp_path / "data",
            "api_port": free_port(),
            "sweep_interval": timedelta(seconds=0.3),
            "shutdown_grace": timedelta(seconds=1),
        }
    )
    drop_database(url)


def test_a_rolling_restart_from_the_version_before_loses_nothing(
    former: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as former_worker, ExitStack() as former_api, ExitStack() as ours:
        with monkeypatch.context() as of_former:
            of_former.setenv("PYTHONPATH", str(former))
            assert run(settings, tmp_path, "migrate")[0] == 0
            tenant = _make_tenant(settings, tmp_path)
            former_worker.enter_context(worker(settings, tmp_path / "former-worker.log"))
            former_api.enter_context(running(settings, tmp_path / "former-api.log", "api"))
        with _load(f"http://127.0.0.1:{settings.api_port}", tenant) as sent:
            _wait_for_more(sent)
            assert run(settings, tmp_path, "migrate")[0] == 0
            _wait_for_more(sent)
            ours.enter_context(worker(settings, tmp_path / "worker.log"))
            _wait_for_more(sent)
            former_worker.close()
            _wait_for_more(sent)
            former_api.close()
            ours.enter_context(running(settings, tmp_path / "api.log", "api"))
            _wait_for_more(sent)
        _assert_nothing_is_lost(settings, sent)


def _make_tenant(settings: Settings, folder: Path) -> Tenant:
    def made(*arguments: str) -> dict[str, str]:
        code, output = run(settings, folder, *arguments, "--name", "upgraded", "--json")
        assert code == 0, output
        return dict(json.loads(output))

    organization = made("org", "create")["id"]
    project = made("project", "create", "--org", organization)["id"]
    roles = ("--role", "organization_admin", "--role", "manufacturer")
    return Tenant(organization, project, made("token", "create", "--org", organization, *roles)["secret"])


@contextmanager
def _load(api_url: str, tenant: Tenant) -> Iterator[list[str]]:
    """The ids of batches that are sent one after the other, until the end; whoever is not answered asks again."""
    sent: list[str] = []
    stopped = threading.Event()
    sending = threading.Thread(target=_send, args=(api_url, tenant, sent, stopped))
    sending.start()
    try:
        yield sent
    finally:
        stopped.set()
        sending.join(SECONDS)


def _send(api_url: str, tenant: Tenant, sent: list[str], stopped: threading.Event) -> None:
    with httpx2.Client(base_url=api_url, headers=tenant.headers, trust_env=False) as client:
        for number in count():
            devices = [f"u{number:05}-{n}" for n in range(PER_BATCH)]
            made = "\n".join(["device_id,prepaid_months", *(f"{device},12" for device in devices)])
            if _ask(client, "/v1/inventory-imports", made, stopped) is None:
                return
            accepted = _ask(client, tenant.uploads, "\n".join(["device_id", *devices]), stopped)
            if accepted is None:
                return
            sent.append(accepted["id"])


def _ask(client: httpx2.Client, path: str, csv: str, stopped: threading.Event) -> dict[str, str] | None:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": str(uuid4())}
    while not stopped.wait(0.02):
        try:
            answer = client.post(path, content=csv, headers=headers)
        except httpx2.TransportError:
            continue
        if answer.is_success:
            return dict(answer.json())
        assert answer.status_code in {409, 429, 503}, answer.text
    return None


def _wait_for_more(sent: list[str]) -> None:
    enough = len(sent) + 10
    wait_until(lambda: len(sent) >= enough)


def _assert_nothing_is_lost(settings: Settings, sent: list[str]) -> None:
    with closing(build_runtime(settings)) as runtime:
        with runtime.reading() as connection:
            wait_until(lambda: connection.execute(_OPEN).scalar_one() == 0, SECONDS)
            states = connection.execute(_STATES).all()
        assert {row.public_id for row in states if row.state == "completed"} >= set(sent)
        assert len(holders(runtime)) == len(states) * PER_BATCH
        assert verify(runtime) == []
