"""Reverts, plans and activations that want the same devices at the same moment."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.claims import Sender, add_devices, carry_out, claim, new_sender
from tests.clock import pass_time
from tests.embedded.waiting import wait_until
from tests.operations import blocked, codes, plan_all
from tests.subscriptions import periods
from worker.batches import revert
from worker.errors import HoldWindowOver
from worker.operations.verify import verify
from worker.queries import activation
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.subscriptions import activate_due

LATER = datetime.now(UTC) + timedelta(days=100)


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a1", "a2"])
    return new_sender(runtime, "north")


@pytest.fixture
def other(settings: Settings) -> Iterator[Runtime]:
    """Another process's runtime."""
    other = build_runtime(settings)
    yield other
    other.close()


@pytest.fixture
def onlooker(settings: Settings) -> Iterator[Runtime]:
    """A third one's."""
    onlooker = build_runtime(settings)
    yield onlooker
    onlooker.close()


def test_a_revert_that_waits_for_an_activation_comes_too_late(runtime: Runtime, other: Runtime, sender: Sender) -> None:
    """The activation holds the batch; the revert, which has to wait for it, then sees what time it is."""
    batch = claim(runtime, sender, b"a1\n")
    holding = text("select key from batch where public_id = :batch for share")
    with ThreadPoolExecutor(1) as pool:
        with runtime.transaction() as connection:
            connection.execute(holding, {"batch": batch["id"]})
            late = pool.submit(revert, other, sender.principal, batch["id"])
            wait_until(blocked(runtime))
            connection.execute(text("update clock set ahead = ahead + interval '16 minutes'"))
        with pytest.raises(HoldWindowOver):
            late.result(20)


def test_an_activation_passes_by_a_batch_that_is_being_reverted(
    runtime: Runtime, other: Runtime, sender: Sender
) -> None:
    batch = claim(runtime, sender, b"a1\n")
    asked, passed = threading.Event(), threading.Event()

    def remember(_connection: Connection, _document: dict[str, Any]) -> None:
        asked.set()
        assert passed.wait(20)

    with ThreadPoolExecutor(1) as pool:
        child = pool.submit(revert, other, sender.principal, batch["id"], remember)
        assert asked.wait(20)
        pass_time(runtime, minutes=16)
        assert activate_due(runtime) == 0
        passed.set()
        child_id = child.result(20)["id"]
    assert activate_due(runtime) == 0
    carry_out(runtime, child_id)
    assert codes(runtime, child_id) == {"a1": "released"}
    assert verify(runtime) == []


def test_a_plan_that_comes_second_finds_it_active(
    runtime: Runtime, other: Runtime, onlooker: Runtime, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The activation has written its row and not committed it; the plan waits for it."""
    claim(runtime, sender, b"a1\na2\n")
    pass_time(runtime, minutes=16)
    written, released = threading.Event(), threading.Event()
    hold_back(monkeypatch, written, released)
    with ThreadPoolExecutor(2) as pool:
        activation = pool.submit(activate_due, other)
        assert written.wait(20)
        plan = pool.submit(plan_all, runtime, sender)
        wait_until(blocked(onlooker))
        released.set()
        assert activation.result(20) == 2
        assert plan.result(20)["totals"] == {"already_active": 2}
    assert {period.state for period in periods(runtime).values()} == {"active"}


def test_a_plan_that_comes_first_is_kept_by_the_activation(runtime: Runtime, other: Runtime, sender: Sender) -> None:
    """The plan has written its row and not committed it; the activation waits for it and leaves it alone."""
    claim(runtime, sender, b"a1\na2\n")
    pass_time(runtime, minutes=16)
    write = text("""
        insert into subscription (device_key, state, activate_at)
        select key, 'scheduled', :at from device where device_id = 'a1'""")
    with ThreadPoolExecutor(1) as pool:
        with runtime.transaction() as connection:
            connection.execute(write, {"at": LATER})
            activation = pool.submit(activate_due, other)
            wait_until(blocked(runtime))
        assert activation.result(20) == 1
    assert {device: period.state for device, period in periods(runtime).items()} == {"a1": "scheduled", "a2": "active"}


def test_a_device_that_is_taken_back_meanwhile_is_not_planned(runtime: Runtime, other: Runtime, sender: Sender) -> None:
    claim(runtime, sender, b"a1\na2\n")
    with ThreadPoolExecutor(1) as pool:
        with runtime.transaction() as connection:
            connection.execute(text("delete from claim where device_key = 1"))
            plan = pool.submit(plan_all, other, sender)
            wait_until(blocked(runtime))
        assert plan.result(20)["totals"] == {"scheduled": 1, "not_yours": 1}
    assert set(periods(runtime)) == {"a2"}
    assert verify(runtime) == []


def hold_back(monkeypatch: pytest.MonkeyPatch, written: threading.Event, released: threading.Event) -> None:
    """Let an activation wait when it has written its subscriptions and not committed them."""
    advance = activation.advance

    def wait(*arguments: Any, **options: Any) -> None:
        written.set()
        assert released.wait(20)
        advance(*arguments, **options)

    monkeypatch.setattr(activation, "advance", wait)
