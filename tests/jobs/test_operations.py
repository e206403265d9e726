"""Status and metrics, of a healthy claimd and of one whose servers are away."""

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from tests.claims import Sender, claim, send
from tests.clock import pass_time
from tests.jobs.conftest import CSV, DEVICES
from worker.embedded.broker import EmbeddedBroker
from worker.operations.metrics import render
from worker.operations.periodic import run_periodic
from worker.operations.status import status
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import PeriodicTask, Queue, WorkKind
from worker.tasks.doorbell import CeleryDoorbell

NOWHERE = {
    "database_url": SecretStr("postgresql://u:s3cret@127.0.0.1:1/x"),
    "broker_url": SecretStr("redis://:s3cret@127.0.0.1:1/0"),
}


@pytest.fixture
def lost(settings: Settings) -> Iterator[Runtime]:
    """A runtime without servers."""
    runtime = build_runtime(settings.model_copy(update=NOWHERE))
    yield runtime
    runtime.close()


def _samples(runtime: Runtime) -> dict[str, float]:
    families = text_string_to_metric_families(render(runtime).decode())
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_status_of_a_healthy_claimd_counts_what_is_unfinished(runtime: Runtime, sender: Sender) -> None:
    send(runtime, sender, CSV)
    found = status(runtime)
    assert found["healthy"]
    assert found["database"]["schema"] == "0003"
    assert found["database"]["batches"]["received"] == 1
    assert found["database"]["batches"]["failed"] == 0
    assert found["database"]["work"]["interactive"] == {"waiting": 1, "leased": 0, "expired": 0}
    assert found["database"]["oldest_waiting_seconds"] > 0
    assert found["broker"]["queues"] == {"interactive": 0, "bulk": 0, "periodic": 0}


def test_metrics_say_the_same(settings: Settings, runtime: Runtime, sender: Sender) -> None:
    send(runtime, sender, CSV)
    bell = CeleryDoorbell(settings)
    bell.ring(WorkKind.APPLY, "bat_1", Queue.BULK, times=3)
    bell.close(timeout=5)
    found = _samples(runtime)
    assert (found["claimd_database_up"], found["claimd_broker_up"]) == (1, 1)
    assert found["claimd_batches received"] == 1
    assert found["claimd_queue_messages bulk"] == 3
    assert found["claimd_work_items waiting interactive"] == 1
    assert found["claimd_oldest_waiting_batch_seconds"] > 0
    assert found["process_resident_memory_bytes"] > 0


def test_each_periodic_task_is_told_of(runtime: Runtime, sender: Sender) -> None:
    claim(runtime, sender, CSV)
    pass_time(runtime, days=1)
    assert run_periodic(runtime, PeriodicTask.SWEEP, lambda _: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_periodic(runtime, PeriodicTask.PRUNE, lambda _: 1 // 0)
    found = _samples(runtime)
    assert found["claimd_periodic_handled_total maintenance.sweep"] == 7
    assert found["claimd_periodic_last_success_seconds maintenance.sweep"] < 60
    assert "claimd_periodic_last_success_seconds subscriptions.activate_due" not in found
    assert found["claimd_periodic_failing maintenance.prune"] == 1
    assert found["claimd_periodic_backlog subscriptions.activate_due"] == len(DEVICES)
    assert found["claimd_periodic_lag_seconds subscriptions.activate_due"] > 80_000
    assert found["claimd_periodic_late subscriptions.activate_due"] == 1
    assert found["claimd_business_clock_ahead_seconds"] == 86_400
    assert (found["claimd_deliveries waiting"], found["claimd_deliveries dead"]) == (0, 0)
    assert found["claimd_endpoints_disabled"] == 0


def test_servers_that_are_away_are_problems_and_no_exceptions(lost: Runtime) -> None:
    found = status(lost)
    assert not found["healthy"]
    assert "127.0.0.1:1" in found["database"]["problem"]
    assert "problem" in found["broker"]
    assert "s3cret" not in str(found)
    assert _samples(lost)["claimd_database_up"] == 0
    assert "claimd_batches received" not in _samples(lost)


def test_a_schema_of_another_version_is_a_problem(runtime: Runtime) -> None:
    with runtime.transaction() as connection:
        connection.execute(text("update alembic_version set version_num = 'other'"))
        connection.execute(text("comment on table alembic_version is 'other'"))  # it serves no older programs
    assert "other" in status(runtime)["database"]["problem"]


def test_a_broker_that_is_away_does_not_hide_the_database(settings: Settings, own_broker: EmbeddedBroker) -> None:
    runtime = build_runtime(settings.model_copy(update={"broker_url": SecretStr(own_broker.url)}))
    own_broker.stop()
    found = _samples(runtime)
    runtime.close()
    assert (found["claimd_database_up"], found["claimd_broker_up"]) == (1, 0)
    assert "claimd_queue_messages bulk" not in found
