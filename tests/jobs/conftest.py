"""A world to claim in, and a runtime that rings for real workers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from tests.claims import Sender, add_devices, new_sender
from tests.embedded.waiting import wait_until
from tests.servers import running_broker
from worker.batches import get_batch
from worker.embedded.broker import EmbeddedBroker
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.tasks.doorbell import CeleryDoorbell

DEVICES = [f"device-{number:03}" for number in range(100)]
CSV = "\n".join(["device_id", *DEVICES]).encode()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Impatient ones: what takes seconds in production takes fractions of them here."""
    with redis.Redis.from_url(settings.require_broker_url()) as client:
        client.flushdb()
    return settings.model_copy(
        update={
            "sweep_interval": timedelta(seconds=0.3),
            "ring_again_after": timedelta(seconds=1),
            "shutdown_grace": timedelta(seconds=1),
            "lease": timedelta(seconds=20),
        }
    )


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker for tests that end it."""
    with running_broker(tmp_path / "broker") as server:
        yield server


@contextmanager
def ringing_runtime(settings: Settings) -> Iterator[Runtime]:
    """A runtime like the API's: what is submitted through it is rung for."""
    runtime = build_runtime(settings, CeleryDoorbell(settings))
    yield runtime
    runtime.doorbell.close(timeout=2)
    runtime.close()


@pytest.fixture
def ringing(settings: Settings) -> Iterator[Runtime]:
    """Such a runtime on the shared servers."""
    with ringing_runtime(settings) as runtime:
        yield runtime


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    """Someone with a hundred devices to claim."""
    add_devices(runtime, DEVICES)
    return new_sender(runtime, "acme")


@pytest.fixture
def completes(runtime: Runtime, sender: Sender) -> Callable[[str], None]:
    """Waits until a batch is completed, every device claimed once."""

    def wait(batch_id: str) -> None:
        wait_until(lambda: get_batch(runtime, sender.principal, batch_id)["state"] == "completed", 40)
        assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": len(DEVICES)}
        with runtime.transaction() as connection:
            assert connection.execute(text("select count(*) from claim")).scalar() == len(DEVICES)

    return wait


@pytest.fixture
def held_up(runtime: Runtime) -> Iterator[Callable[[], None]]:
    """Lets no worker claim anything until it is called."""
    with runtime.engine.connect() as connection:
        connection.execute(text("lock table claim in share row exclusive mode"))
        yield connection.rollback


@pytest.fixture
def is_stuck(runtime: Runtime) -> Callable[[], bool]:
    """Whether a worker waits for what `held_up` holds."""
    query = text("select exists (select from pg_locks where not granted and relation = 'claim'::regclass)")

    def ask() -> bool:
        with runtime.transaction() as connection:
            return bool(connection.execute(query).scalar())

    return ask


@pytest.fixture
def attempts(runtime: Runtime) -> Callable[[], list[tuple[int, bool]]]:
    """The attempts of each work item, and whether somebody holds it."""
    query = text("select attempts, lease_expires_at is not null from work_item order by key")

    def ask() -> list[tuple[int, bool]]:
        with runtime.transaction() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    return ask
