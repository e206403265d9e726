"""What periodic tasks have to catch up with, told from the data alone."""

from dataclasses import astuple
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, claim, new_sender, send
from tests.clock import pass_time
from tests.subscriptions import listen, plan
from worker.operations.periodic import INTERVALS
from worker.operations.retention import prune_old
from worker.operations.standings import late_tasks, read_standings
from worker.queries.backlogs import Backlog, measure_backlog
from worker.runtime import Runtime
from worker.states import PeriodicTask
from worker.subscriptions import activate_due, expire_due, remind

DEVICES = [f"d{number}" for number in range(5)]
CSV = "\n".join(["device_id", *DEVICES]).encode()
KEEP = {name: timedelta(days=9) for name in ("keep_inputs", "keep_results", "keep_deliveries")}
NOTHING = (0, timedelta(0))


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, DEVICES)
    return new_sender(runtime, "acme")


def _backlog(runtime: Runtime, task: PeriodicTask, most: int = 1000) -> Backlog:
    with runtime.transaction() as connection:
        return measure_backlog(connection, task, KEEP, most)


def _of(runtime: Runtime, task: PeriodicTask) -> tuple[int, float]:
    """Things, and whole hours of lag."""
    found = _backlog(runtime, task)
    return found.things, round(found.lag / timedelta(hours=1))


def test_nothing_is_due_where_nothing_is(runtime: Runtime) -> None:
    assert [task for task in PeriodicTask if astuple(_backlog(runtime, task)) != NOTHING] == []
    assert late_tasks(runtime) == []


def test_claims_are_due_to_start_after_the_hold_window_and_to_end_after_their_months(
    runtime: Runtime, sender: Sender
) -> None:
    claim(runtime, sender, CSV)
    plan(runtime, DEVICES[0], timedelta(minutes=1))
    pass_time(runtime, minutes=10)
    assert astuple(_backlog(runtime, PeriodicTask.ACTIVATE)) == NOTHING
    pass_time(runtime, hours=2, minutes=5)
    assert _of(runtime, PeriodicTask.ACTIVATE) == (6, 2)
    assert activate_due(runtime) == 5
    assert astuple(_backlog(runtime, PeriodicTask.ACTIVATE)) == NOTHING
    pass_time(runtime, days=360)
    assert _backlog(runtime, PeriodicTask.REMIND).things == 5
    assert _backlog(runtime, PeriodicTask.REMIND).lag > timedelta(days=24)
    assert remind(runtime) > 0
    assert astuple(_backlog(runtime, PeriodicTask.REMIND)) == NOTHING
    pass_time(runtime, days=10)
    assert _backlog(runtime, PeriodicTask.EXPIRE).things == 5
    assert _backlog(runtime, PeriodicTask.EXPIRE, most=2).things == 2
    assert expire_due(runtime) == 5
    assert astuple(_backlog(runtime, PeriodicTask.EXPIRE)) == NOTHING


def test_a_doorbell_that_nobody_answers_is_due(runtime: Runtime, sender: Sender) -> None:
    send(runtime, sender, CSV)
    assert _backlog(runtime, PeriodicTask.SWEEP).things == 0
    with runtime.transaction() as connection:
        connection.execute(text("update work_item set ring_at = ring_at - interval '3 hours'"))
    assert _of(runtime, PeriodicTask.SWEEP) == (1, 3)
    assert PeriodicTask.SWEEP in late_tasks(runtime)


def test_a_preview_that_nobody_confirms_lapses(runtime: Runtime, sender: Sender) -> None:
    claim(runtime, sender, CSV, preview=True)
    with runtime.transaction() as connection:
        connection.execute(text("update batch set preview_expires_at = clock_timestamp() - interval '1 hour'"))
    assert _of(runtime, PeriodicTask.PRUNE) == (1, 1)


def test_deliveries_are_due_unless_they_wait_for_another_or_for_their_endpoint(
    runtime: Runtime, sender: Sender
) -> None:
    listen(runtime, sender)
    with runtime.transaction() as connection:
        connection.execute(
            text("""
            with told as (insert into event (organization_key, batch_key, type, data)
                select organization_key, case when each > 1 then 1 end, 'ping', '{}'
                from endpoint, generate_series(1, 3) each returning key, batch_key)
            insert into delivery (event_key, endpoint_key, batch_key, give_up_at, next_attempt_at)
            select told.key, endpoint.key, told.batch_key, now() + interval '1 day', now() - interval '2 hours'
            from told, endpoint""")
        )
    assert _of(runtime, PeriodicTask.DELIVER) == (2, 2)
    for rest in ("retry_at = now() + interval '1 hour'", "retry_at = null, disabled_at = now(), disabled_reason = 'x'"):
        with runtime.transaction() as connection:
            connection.execute(text(f"update endpoint set {rest}"))
        assert astuple(_backlog(runtime, PeriodicTask.DELIVER)) == NOTHING


def test_a_digest_is_due_once_a_day(runtime: Runtime, sender: Sender) -> None:
    del sender
    pass_time(runtime, days=1)
    found = _backlog(runtime, PeriodicTask.DIGEST)
    assert found.things == 1
    assert found.lag < timedelta(days=1)


def test_what_is_old_is_due_to_be_pruned(runtime: Runtime, sender: Sender) -> None:
    claim(runtime, sender, CSV)
    pass_time(runtime, days=9, hours=5)
    assert _of(runtime, PeriodicTask.RETAIN) == (2, 5)
    pass_time(runtime, days=400)
    assert prune_old(runtime) > 0
    assert astuple(_backlog(runtime, PeriodicTask.RETAIN)) == NOTHING


def test_an_installation_in_use_whose_tasks_never_run_is_late(runtime: Runtime, sender: Sender) -> None:
    del sender
    assert late_tasks(runtime) == []
    with runtime.transaction() as connection:
        connection.execute(text("update organization set created_at = created_at - interval '5 minutes'"))
        found = read_standings(connection, runtime.settings)
    quick = [task for task, interval in INTERVALS.items() if interval < timedelta(minutes=2)]
    assert [task for task, standing in found.items() if standing.late] == quick
