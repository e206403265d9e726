"""Prepaid time starts when it is due: once for each device, however late and however often it is looked for."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from psycopg.errors import CheckViolation
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, send
from tests.clock import pass_time
from tests.subscriptions import listen, moment, periods, plan, told
from worker.batches import cancel
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.subscriptions import activate_due, chunks

DEVICES = [f"d{number:02}" for number in range(30)]
CSV = "\n".join(["device_id", *DEVICES]).encode()


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    """Someone with thirty devices to claim."""
    add_devices(runtime, DEVICES)
    return new_sender(runtime, "north")


@pytest.fixture
def at_once(settings: Settings) -> Iterator[Runtime]:
    """A runtime without a hold window."""
    runtime = build_runtime(settings.model_copy(update={"hold_window": timedelta(0)}), pool_size=8)
    yield runtime
    runtime.close()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of seven."""
    monkeypatch.setattr(chunks, "SIZE", 7)
    monkeypatch.setattr(chunks, "SIZE_BESIDE_BATCHES", 3)


def test_what_is_claimed_is_active_once_the_hold_window_is_over(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, CSV)
    pass_time(runtime, minutes=14)
    assert activate_due(runtime) == 0
    pass_time(runtime, minutes=2)
    assert activate_due(runtime) == 30
    assert activate_due(runtime) == 0
    due = datetime.fromisoformat(batch["activate_at"])
    for period in periods(runtime).values():
        assert (period.state, period.activate_at, period.starts_at) == ("active", due, due)
        assert period.ends_at == due + relativedelta(months=12)


def test_without_a_hold_window_it_starts_at_completion(at_once: Runtime, sender: Sender) -> None:
    claim(at_once, sender, CSV)
    assert activate_due(at_once) == 30


@pytest.mark.usefixtures("small_chunks")
def test_a_late_task_costs_nobody_prepaid_time_and_catches_up_once(runtime: Runtime, sender: Sender) -> None:
    batches = [claim(runtime, sender, f"device_id\n{device}\n".encode()) for device in DEVICES]
    pass_time(runtime, days=7)
    assert activate_due(runtime) == 30
    assert [period.starts_at for _, period in sorted(periods(runtime).items())] == [
        datetime.fromisoformat(batch["activate_at"]) for batch in batches
    ]


@pytest.mark.usefixtures("small_chunks")
def test_many_at_once_start_each_device_once_and_tell_of_each_batch_once(at_once: Runtime, sender: Sender) -> None:
    listen(at_once, sender)
    batches = [claim(at_once, sender, CSV[:10] + "\n".join(DEVICES[n::3]).encode())["id"] for n in range(3)]
    barrier = threading.Barrier(4)

    def run(_: int) -> int:
        barrier.wait()
        return activate_due(at_once)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 30
    events = told(at_once)
    assert sorted(event["batch_id"] for event in events) == sorted(batches)
    assert [event["activated"] for event in events] == [10, 10, 10]
    assert activation_of(at_once) == [(10, True)] * 3


@pytest.mark.usefixtures("small_chunks")
def test_a_crash_in_the_middle_loses_only_the_chunk_that_was_not_committed(at_once: Runtime, sender: Sender) -> None:
    listen(at_once, sender)
    claim(at_once, sender, CSV)
    with at_once.transaction() as connection:
        connection.execute(text("alter table subscription add constraint stop check (device_key < 20)"))
    with pytest.raises(CheckViolation):
        activate_due(at_once)
    assert len(periods(at_once)) == 14
    assert activation_of(at_once) == [(14, False)]
    assert told(at_once) == []
    with at_once.transaction() as connection:
        connection.execute(text("alter table subscription drop constraint stop"))
    assert activate_due(at_once) == 16
    assert [event["activated"] for event in told(at_once)] == [30]


@pytest.mark.usefixtures("small_chunks")
def test_beside_work_of_batches_it_goes_on_in_small_steps(at_once: Runtime, sender: Sender) -> None:
    claim(at_once, sender, CSV)
    send(at_once, sender, b"device_id\nother\n")
    assert activate_due(at_once) == 30


def test_what_was_planned_for_later_stays_scheduled(at_once: Runtime, sender: Sender) -> None:
    listen(at_once, sender)
    claim(at_once, sender, CSV)
    plan(at_once, "d07", timedelta(days=3))
    assert activate_due(at_once) == 29
    assert periods(at_once)["d07"].state == "scheduled"
    pass_time(at_once, days=4)
    assert activate_due(at_once) == 1
    found = periods(at_once)["d07"]
    assert (found.state, found.starts_at) == ("active", found.activate_at)
    assert [(event["batch_id"] is None, event["activated"]) for event in told(at_once)] == [(False, 29), (True, 1)]


def test_activating_now_waits_for_the_end_of_the_hold_window(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, CSV)
    plan(runtime, "d07", timedelta(0))
    assert activate_due(runtime) == 0
    pass_time(runtime, minutes=15)
    assert activate_due(runtime) == 30
    assert periods(runtime)["d07"].starts_at == datetime.fromisoformat(batch["hold_until"])


def test_a_plan_and_an_activation_never_both_win(at_once: Runtime, sender: Sender) -> None:
    claim(at_once, sender, CSV)
    barrier = threading.Barrier(2)

    def put_off() -> None:
        barrier.wait()
        for device in DEVICES:
            plan(at_once, device, timedelta(days=1))

    def activate() -> int:
        barrier.wait()
        return activate_due(at_once)

    with ThreadPoolExecutor(2) as pool:
        planned, activated = pool.submit(put_off), pool.submit(activate)
        planned.result()
        states = [period.state for period in periods(at_once).values()]
    assert states.count("active") == activated.result()
    assert states.count("scheduled") == 30 - activated.result()


def test_devices_differ_in_months_and_organizations_in_time_zones(at_once: Runtime, sender: Sender) -> None:
    listen(at_once, sender)
    add_devices(at_once, ["m1", "m6"], months=1)
    add_devices(at_once, ["m60"], months=60)
    with at_once.transaction() as connection:
        connection.execute(text("update organization set time_zone = 'Pacific/Auckland'"))
    claim(at_once, sender, b"device_id\nm1\nm6\nm60\n")
    assert activate_due(at_once) == 3
    found = periods(at_once)
    for device, months in (("m1", 1), ("m60", 60)):
        query = f"select period_end(starts_at, {months}, 'Pacific/Auckland') from subscription limit 1"
        assert found[device].ends_at == moment(at_once, query)
    assert told(at_once)[0]["prepaid_months"] == {"1": 2, "60": 1}


def test_a_batch_that_has_not_ended_or_was_taken_back_starts_nothing(at_once: Runtime, sender: Sender) -> None:
    claim(at_once, sender, CSV)
    for state in ("reverting", "reverted"):
        with at_once.transaction() as connection:
            connection.execute(text("update batch set state = :state"), {"state": state})
        assert activate_due(at_once) == 0
    assert activation_of(at_once) == [(0, True)]


def test_what_a_cancelled_batch_has_claimed_starts_all_the_same(settings: Settings, sender: Sender) -> None:
    runtime = build_runtime(settings.model_copy(update={"hold_window": timedelta(0), "chunk_size": 10}))
    batch_id = send(runtime, sender, CSV)
    with runtime.transaction() as connection:
        connection.execute(text("alter table claim add constraint stop check (device_key < 11)"))
    with pytest.raises(DatabaseError):
        carry_out(runtime, batch_id)
    with runtime.transaction() as connection:
        connection.execute(text("alter table claim drop constraint stop"))
    cancel(runtime, sender.principal, batch_id)
    carry_out(runtime, batch_id)
    assert activate_due(runtime) == 10
    runtime.close()


def test_the_database_refuses_to_turn_time_back(at_once: Runtime, sender: Sender) -> None:
    claim(at_once, sender, CSV)
    activate_due(at_once)
    for change in (
        "update subscription set state = 'scheduled', starts_at = null, ends_at = null",
        "update subscription set ends_at = ends_at + interval '1 day'",
        "delete from subscription",
    ):
        with pytest.raises(DatabaseError, match="subscription"), at_once.transaction() as connection:
            connection.execute(text(change))
    assert datetime.now(UTC) > moment(at_once, "select min(starts_at) from subscription")


def activation_of(runtime: Runtime) -> list[tuple[int, bool]]:
    """How many each batch has activated, and whether it is done."""
    query = text("select activated, done_at is not null from activation order by batch_key")
    with runtime.transaction() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]
