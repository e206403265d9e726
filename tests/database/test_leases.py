"""A work item takes effect once, whatever becomes of the worker that took it."""

import threading
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.claims import Sender, add_devices, carry_out, claim, holders, new_sender, outcomes, send
from worker.batches import get_batch, resume, settlement, work
from worker.batches.faults import is_innocent
from worker.batches.taking import take_own
from worker.queries import leases
from worker.queries.leases import WorkItem
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import WorkKind


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a1", "a2", "a3"])
    return new_sender(runtime, "north")


def work_items(runtime: Runtime) -> list[dict[str, Any]]:
    with runtime.transaction() as connection:
        return [dict(row) for row in connection.execute(text("select * from work_item order by key")).mappings()]


def break_resolve(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    """Let every resolve step end with `fault`, after it has read the input and before it claims anything."""

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr("worker.batches.steps.mark_duplicates", fail)


def die_with_the_lease(settings: Settings, batch_id: str) -> None:
    """Take the batch's resolve item as a worker would, and be gone."""
    doomed = build_runtime(settings)
    with doomed.engine.connect() as connection:
        assert take_own(doomed, connection, batch_id, WorkKind.RESOLVE) is not None
    doomed.close()


def test_a_lease_dies_with_the_connection_that_took_it(runtime: Runtime, settings: Settings, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"a1\na2\n")
    die_with_the_lease(settings, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["state"] == "resolving"
    carry_out(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["state"] == "completed"
    assert [(item["attempts"], item["fence"]) for item in work_items(runtime)] == [(2, 2)]


def test_a_batch_that_cost_three_workers_fails_and_can_be_resumed(
    runtime: Runtime, settings: Settings, sender: Sender
) -> None:
    batch_id = send(runtime, sender, b"a1\na2\n")
    for _ in range(3):
        die_with_the_lease(settings, batch_id)
    work.run_resolve(runtime, batch_id)
    failed = get_batch(runtime, sender.principal, batch_id)
    assert (failed["state"], failed["problem"]["type"]) == ("failed", "gave-up")
    assert resume(runtime, sender.principal, batch_id)["state"] == "resolving"
    carry_out(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": 2}


def test_a_poisoned_chunk_leaves_the_others_claimed_and_can_be_resumed(runtime: Runtime, settings: Settings) -> None:
    world = Runtime(settings.model_copy(update={"chunk_size": 1}), runtime.engine, runtime.keys, runtime.doorbell)
    add_devices(world, ["a1", "a2", "a3"])
    sender = new_sender(world, "north")
    batch_id = send(world, sender, b"a3\na2\na1\n")
    work.run_resolve(world, batch_id)
    with world.transaction() as connection:
        connection.execute(text("update work_item set attempts = 3 where kind = 'apply' and number = 1"))
    carry_out(world, batch_id)
    assert get_batch(world, sender.principal, batch_id)["state"] == "failed"
    assert [code for *_, code in outcomes(world, batch_id)] == ["claimed", "not_processed", "claimed"]
    assert resume(world, sender.principal, batch_id)["state"] == "applying"
    carry_out(world, batch_id)
    done = get_batch(world, sender.principal, batch_id)
    assert (done["state"], done["problem"], done["totals"]) == ("completed", None, {"claimed": 3})


def test_a_parked_worker_is_ended_and_its_successor_does_the_work(
    runtime: Runtime, settings: Settings, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = send(runtime, sender, b"a1\na2\n")
    parked, go_on = threading.Event(), threading.Event()
    honest = settlement.settle

    def park(*args: Any, **kwargs: Any) -> None:
        parked.set()
        assert go_on.wait(30)
        honest(*args, **kwargs)

    monkeypatch.setattr(settlement, "settle", park)
    sleeper = build_runtime(settings)
    thread = threading.Thread(target=work.run_resolve, args=(sleeper, batch_id))
    thread.start()
    assert parked.wait(30)
    monkeypatch.setattr(settlement, "settle", honest)
    with runtime.transaction() as connection:
        connection.execute(text("update work_item set lease_expires_at = now() - interval '1 second'"))
    work.run_resolve(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": 2}
    go_on.set()
    thread.join(30)
    sleeper.close()
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": 2}
    assert len(outcomes(runtime, batch_id)) == 2


def test_work_whose_fence_was_raised_takes_no_effect(
    runtime: Runtime, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = send(runtime, sender, b"a1\na2\n")
    honest = leases.end_item

    def raised_meanwhile(connection: Any, item: WorkItem) -> bool:
        with runtime.transaction() as other:
            other.execute(text("update work_item set fence = fence + 1, lease_expires_at = null, backend_pid = null"))
        return honest(connection, item)

    monkeypatch.setattr(leases, "end_item", raised_meanwhile)
    work.run_resolve(runtime, batch_id)
    assert holders(runtime) == {}
    assert outcomes(runtime, batch_id) == []
    monkeypatch.undo()
    carry_out(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": 2}


@pytest.mark.parametrize(
    "fault",
    [
        psycopg.errors.DeadlockDetected(),
        psycopg.errors.SerializationFailure(),
        psycopg.errors.LockNotAvailable(),
        psycopg.errors.AdminShutdown(),
        psycopg.errors.DiskFull(),
        psycopg.errors.TooManyConnections(),
        psycopg.OperationalError("the connection is lost"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_faults_of_the_surroundings_do_not_count_as_attempts(
    runtime: Runtime, sender: Sender, monkeypatch: pytest.MonkeyPatch, fault: psycopg.Error
) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    break_resolve(monkeypatch, OperationalError("select", {}, fault))
    for _ in range(4):
        work.run_resolve(runtime, batch_id)
    assert [item["attempts"] for item in work_items(runtime)] == [0]
    monkeypatch.undo()
    carry_out(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": 1}


def test_a_fault_of_its_own_counts_and_is_raised(
    runtime: Runtime, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    break_resolve(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        work.run_resolve(runtime, batch_id)
    assert [(item["attempts"], item["lease_expires_at"]) for item in work_items(runtime)] == [(1, None)]


def test_three_faults_of_its_own_fail_the_batch(
    runtime: Runtime, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    break_resolve(monkeypatch, ZeroDivisionError())
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            work.run_resolve(runtime, batch_id)
    work.run_resolve(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["state"] == "failed"


def test_an_orderly_shutdown_hands_the_work_back_uncounted(
    runtime: Runtime, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    break_resolve(monkeypatch, SystemExit(0))
    with pytest.raises(SystemExit):
        work.run_resolve(runtime, batch_id)
    assert [(item["attempts"], item["lease_expires_at"]) for item in work_items(runtime)] == [(0, None)]


def test_a_statement_over_its_time_is_the_batchs_own_fault() -> None:
    assert not is_innocent(OperationalError("select", {}, psycopg.errors.QueryCanceled()))


def test_a_doorbell_without_work_does_nothing(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\n")
    before = work_items(runtime)
    for run in (work.run_resolve, work.run_apply, work.run_finish):
        run(runtime, batch["id"])
        run(runtime, "bat_gone")
    assert work_items(runtime) == before
