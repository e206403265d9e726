"""The API as a service: its health, its process, its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from sqlalchemy import text

from tests.api.serving import Tenant, client_of, wait_for
from tests.api.wire import head_of, wire_to
from tests.conftest import SECRET_KEY
from tests.servers import fresh_database, running_broker
from worker.embedded.ports import free_port
from worker.runtime import Runtime
from worker.states import PeriodicTask

CSV = {"file": ("a.csv", b"device_id\nSNS-1\n")}
SERVE = "from api_stub.server import serve; from worker.settings import load_settings; serve(load_settings())"


def launch(database_url: str, broker_url: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    """A process as `claimd api` is one."""
    settings = {
        "CLAIMD_DATABASE_URL": database_url,
        "CLAIMD_BROKER_URL": broker_url,
        "CLAIMD_SECRET_KEY": SECRET_KEY,
        "CLAIMD_API_PORT": str(port),
        "CLAIMD_SHUTDOWN_GRACE": "PT2S",
    }
    with log.open("ab") as file:
        return subprocess.Popen([sys.executable, "-c", SERVE], env={**os.environ, **settings}, stderr=file)


@contextmanager
def served(database_url: str, broker_url: str, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and the process of an API."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = launch(database_url, broker_url, port, log)
    try:
        wait_for(lambda: is_up(url, process), 60)
        yield url, process
    finally:
        process.kill()
        process.wait()


def is_up(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether the API answers."""
    assert process.poll() is None
    try:
        return httpx2.get(f"{url}/healthz").is_success
    except httpx2.TransportError:
        return False


def test_it_ends_in_time_although_clients_hang_on(
    database_url: str, broker_url: str, tenant: Tenant, runtime: Runtime, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with served(database_url, broker_url, log) as (url, process), client_of(url, tenant) as api, wire_to(url) as slow:
        batch = api.post(tenant.uploads, files=CSV).json()
        slow.send(head_of(tenant, "Content-Length: 1000", "Idempotency-Key: k") + b"d")
        with api.stream("GET", f"/v1/claim-batches/{batch['id']}/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: progress"
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert "event: end" not in list(lines)
            assert time.monotonic() - started < 2
        status, problem = slow.answer()
        assert (status, problem["type"]) == (503, "unavailable")
        assert process.wait(10) == 0
    assert "Traceback" not in log.read_text()
    with runtime.transaction() as connection:
        assert connection.execute(text("select count(*) from idempotency_key")).scalar_one() == 0


def test_an_upload_does_not_wait_for_a_broker_that_is_gone_or_frozen(
    database_url: str, tenant: Tenant, tmp_path: Path
) -> None:
    with running_broker(tmp_path) as broker, served(database_url, broker.url, tmp_path / "log") as (url, _):
        assert slowest_upload(url, tenant) < 1
        assert httpx2.get(f"{url}/readyz").json()["broker"] == "ok"
        assert broker.process is not None
        os.kill(broker.process.pid, signal.SIGSTOP)
        try:
            assert slowest_upload(url, tenant) < 1
            assert httpx2.get(f"{url}/readyz").json()["broker"] == "unreachable"
        finally:
            os.kill(broker.process.pid, signal.SIGCONT)
        broker.stop()
        assert slowest_upload(url, tenant) < 1
        ready = httpx2.get(f"{url}/readyz")
        assert (ready.status_code, ready.json()["broker"]) == (200, "unreachable")


def slowest_upload(url: str, tenant: Tenant) -> float:
    """Seconds that the slowest of some uploads took."""
    taken = []
    with client_of(url, tenant) as api:
        for _ in range(5):
            started = time.monotonic()
            assert api.post(tenant.uploads, files=CSV).status_code == 202
            taken.append(time.monotonic() - started)
    return max(taken)


def test_it_does_not_start_on_a_database_or_an_address_that_it_cannot_use(
    postgres_url: str, database_url: str, broker_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    port = free_port()
    assert launch(fresh_database(postgres_url), broker_url, port, log).wait(60) != 0
    assert "run `claimd migrate`" in log.read_text()
    taken = int(postgres_url.rpartition(":")[2].partition("/")[0])
    assert launch(database_url, broker_url, taken, log).wait(60) != 0
    assert f"cannot listen on 127.0.0.1:{taken}" in log.read_text()


def test_health_and_metrics_need_no_token(api_url: str) -> None:
    ready = httpx2.get(f"{api_url}/readyz").json()
    assert (ready["status"], ready["database"], ready["broker"]) == ("ready", "ok", "ok")
    assert set(ready["late"]) <= set(PeriodicTask)  # nobody works here
    metrics = httpx2.get(f"{api_url}/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=")
    assert "claimd_database_up 1.0" in metrics.text
