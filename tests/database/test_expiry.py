"""Prepaid time ends, and people are reminded of it before: each step once, however late it is looked for."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, claim, new_sender
from tests.clock import pass_time
from tests.subscriptions import listen, periods, told
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.subscriptions import activate_due, chunks, expire_due, remind

DEVICES = [f"d{number:02}" for number in range(20)]


@pytest.fixture
def at_once(settings: Settings) -> Iterator[Runtime]:
    """A runtime without a hold window."""
    runtime = build_runtime(settings.model_copy(update={"hold_window": timedelta(0)}), pool_size=8)
    yield runtime
    runtime.close()


@pytest.fixture
def sender(at_once: Runtime, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """Someone with twenty devices, active from now on for three months; chunks of seven."""
    monkeypatch.setattr(chunks, "SIZE", 7)
    sender = new_sender(at_once, "north")
    add_devices(at_once, DEVICES, months=3)
    claim(at_once, sender, "\n".join(["device_id", *DEVICES]).encode())
    assert activate_due(at_once) == 20
    end_in(at_once, timedelta(days=90))
    listen(at_once, sender)
    return sender


def end_in(runtime: Runtime, left: timedelta) -> None:
    """Move the end of all subscriptions, which nothing but a test can."""
    with runtime.transaction() as connection:
        connection.execute(text("alter table subscription disable trigger user"))
        connection.execute(text("update subscription set ends_at = (select business_now()) + :left"), {"left": left})
        connection.execute(text("alter table subscription enable trigger user"))


def four_times(run: Callable[[Runtime], int], runtime: Runtime) -> int:
    """What four at the same moment do together."""
    barrier = threading.Barrier(4)

    def one(_: int) -> int:
        barrier.wait()
        return run(runtime)

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(one, range(4)))


@pytest.mark.usefixtures("sender")
def test_time_that_is_over_ends_once(at_once: Runtime) -> None:
    pass_time(at_once, days=89.9)
    assert expire_due(at_once) == 0
    pass_time(at_once, days=7)
    assert four_times(expire_due, at_once) == 20
    assert expire_due(at_once) == 0
    assert {period.state for period in periods(at_once).values()} == {"expired"}


@pytest.mark.usefixtures("sender")
def test_each_reminder_comes_at_its_time(at_once: Runtime) -> None:
    found = []
    for day in range(91):
        if count := remind(at_once):
            found.append((90 - day, count))
        pass_time(at_once, days=1)
    assert found == [(30, 20), (7, 20), (1, 20)]
    assert [event["days"] for event in told(at_once)] == [30] * 3 + [7] * 3 + [1] * 3


def test_a_reminder_tells_which_devices_end_and_when(at_once: Runtime, sender: Sender) -> None:
    pass_time(at_once, days=70)
    remind(at_once)
    events = told(at_once)
    assert sorted(device for event in events for device in event["device_ids"]) == DEVICES
    assert [event["count"] for event in events] == [7, 7, 6]
    assert {event["project_id"] for event in events} == {sender.project_id}
    assert {event["ends_from"] == event["ends_to"] for event in events} == {True}


@pytest.mark.usefixtures("sender")
def test_reminders_of_many_at_once_are_sent_once(at_once: Runtime) -> None:
    pass_time(at_once, days=61)
    assert four_times(remind, at_once) == 20
    assert sum(event["count"] for event in told(at_once)) == 20


@pytest.mark.usefixtures("sender")
def test_reminders_that_were_missed_are_sent_late_and_in_order(at_once: Runtime) -> None:
    pass_time(at_once, days=84)
    assert remind(at_once) == 40
    assert [event["days"] for event in told(at_once)] == [30] * 3 + [7] * 3
    assert remind(at_once) == 0


@pytest.mark.usefixtures("sender")
def test_what_has_ended_is_no_longer_reminded(at_once: Runtime) -> None:
    pass_time(at_once, days=91)
    assert remind(at_once) == 0
    assert expire_due(at_once) == 20


@pytest.mark.usefixtures("sender")
def test_a_run_whose_time_is_up_leaves_the_rest_to_the_next(at_once: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    pass_time(at_once, days=91)
    monkeypatch.setattr(chunks, "RUN_SECONDS", 0.0)
    assert expire_due(at_once) == 0
    monkeypatch.undo()
    assert expire_due(at_once) == 20
