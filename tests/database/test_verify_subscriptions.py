"""`claimd verify` finds prepaid time that is not as it must be; lateness alone breaks nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, claim, new_sender
from tests.clock import pass_time
from tests.subscriptions import plan
from worker.operations.periodic import run_periodic
from worker.operations.verify import verify
from worker.queries.subscription_invariants import SUBSCRIPTION_INVARIANTS
from worker.runtime import Runtime
from worker.states import PeriodicTask
from worker.subscriptions import activate_due, expire_due, remind

TASKS = {PeriodicTask.ACTIVATE: activate_due, PeriodicTask.EXPIRE: expire_due, PeriodicTask.REMIND: remind}


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    """Someone with prepaid time in every state, and tasks that have just succeeded."""
    sender = new_sender(runtime, "north")
    add_devices(runtime, ["a1", "a2"], months=1)
    add_devices(runtime, ["b1", "b2", "b3"], months=3)
    claim(runtime, sender, b"device_id\na1\na2\n")
    pass_time(runtime, days=1)
    run_all(runtime)
    pass_time(runtime, days=40)
    claim(runtime, sender, b"device_id\nb1\nb2\n")
    plan(runtime, "b2", timedelta(days=9))
    run_all(runtime)
    pass_time(runtime, minutes=16)
    run_all(runtime)
    claim(runtime, sender, b"device_id\nb3\n")
    return sender


def run_all(runtime: Runtime) -> None:
    for task, use_case in TASKS.items():
        run_periodic(runtime, task, use_case)


def broken(runtime: Runtime) -> set[str]:
    """The invariants of prepaid time that do not hold."""
    return {violation.invariant for violation in verify(runtime)} & set(SUBSCRIPTION_INVARIANTS)


@pytest.mark.usefixtures("sender")
def test_what_claimd_made_is_in_order_also_right_after_the_clock_was_moved(runtime: Runtime) -> None:
    assert verify(runtime) == []
    pass_time(runtime, days=365)
    assert verify(runtime) == []
    run_all(runtime)
    assert verify(runtime) == []


@pytest.mark.usefixtures("sender")
def test_an_organization_may_move_to_another_time_zone(runtime: Runtime) -> None:
    with runtime.transaction() as connection:
        connection.execute(text("update organization set time_zone = 'Pacific/Auckland'"))
    pass_time(runtime, days=20)
    run_all(runtime)
    assert broken(runtime) == set()


_FREE = "alter table subscription disable trigger user;"
_AN_HOUR_AGO = "clock_timestamp() + clock.ahead - interval '1 hour'"
_STILL = "update clock set moved_at = clock_timestamp() - interval '1 day';"
BREAKING = {
    "a subscription has a claim": "delete from claim where batch_key = 1",
    "no prepaid time starts before its batch has ended and can no longer be reverted": "update batch "
    "set hold_until = hold_until + interval '1 second', activate_at = activate_at + interval '1 second'",
    "no prepaid time starts in the future": "update clock set ahead = '0'",
    "a period is as long as its months": _FREE + "update subscription set ends_at = ends_at - interval '5 days'",
    "what a batch has claimed is going to start": "delete from activation",
    "an activation that is done has left no device out": _FREE + "delete from subscription where state = 'active'",
    "an activation has started what it counts": "update activation set activated = activated + 1",
    "what is due has started": f"{_STILL} update activation set activate_at = {_AN_HOUR_AGO} from clock "
    "where done_at is null",
    "what is over has ended": f"{_FREE} {_STILL} update subscription "
    f"set activate_at = activate_at - interval '1 year', starts_at = starts_at - interval '1 year', "
    f"ends_at = {_AN_HOUR_AGO} from clock where state = 'active'",
    "what ends soon has been told": f"{_FREE} {_STILL} update subscription "
    f"set ends_at = {_AN_HOUR_AGO} + interval '30 days' from clock where state = 'active'",
}


def test_every_invariant_of_prepaid_time_is_broken_once() -> None:
    assert set(BREAKING) == set(SUBSCRIPTION_INVARIANTS)


@pytest.mark.usefixtures("sender")
@pytest.mark.parametrize("invariant", BREAKING)
def test_each_broken_invariant_of_prepaid_time_is_found(runtime: Runtime, invariant: str) -> None:
    with runtime.transaction() as connection:
        connection.exec_driver_sql(BREAKING[invariant])
    assert invariant in broken(runtime)


@pytest.mark.usefixtures("sender")
def test_a_task_that_has_not_come_since_breaks_nothing(runtime: Runtime) -> None:
    with runtime.transaction() as connection:
        connection.exec_driver_sql(BREAKING["what is due has started"])
        connection.exec_driver_sql("update periodic_task set succeeded_at = succeeded_at - interval '2 hours'")
    assert broken(runtime) == set()
