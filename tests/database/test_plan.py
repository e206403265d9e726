"""When subscriptions start can be changed, of a list, a batch or a project, until they have started."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, send
from tests.clock import pass_time
from tests.operations import codes, plan_all, plan_listed, release, take_back
from tests.subscriptions import periods
from worker.batches import SubmitOptions, cancel, get_batch, plan_held
from worker.errors import Invalid, NotFound, WrongState
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.settings import Settings
from worker.subscriptions import activate_due


@pytest.fixture
def later() -> date:
    """A day on which nothing is due yet."""
    return datetime.now(UTC).date() + timedelta(days=100)


@pytest.fixture(params=[2, 50_000], ids=["in chunks", "at once"])
def world(runtime: Runtime, settings: Settings, request: pytest.FixtureRequest) -> Runtime:
    """The same with chunks of two devices and with one chunk for all."""
    return replace(runtime, settings=settings.model_copy(update={"chunk_size": request.param}))


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a1", "a2", "a3"])
    add_devices(runtime, ["k1", "k2"], kit="kit-1")
    return new_sender(runtime, "north")


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def test_listed_devices_are_put_off_each_with_its_outcome(world: Runtime, sender: Sender, later: date) -> None:
    add_devices(world, ["b1", "b2"])
    claim(world, sender, b"identifier\nkit-1\na1\na2\n")
    claim(world, new_sender(world, "south"), b"b1\n")
    rows = b"identifier\na2\nkit-1\nnope\nb1\nb2\n1,2E+9\nk2\n"
    batch = plan_listed(world, sender, rows, activate_on=later)
    assert (batch["state"], batch["operation"], batch["activate_on"]) == ("completed", "plan", later.isoformat())
    assert batch["totals"] == {
        "scheduled": 3,
        "not_found": 1,
        "not_yours": 2,
        "invalid_identifier": 1,
        "duplicate": 1,
    }
    planned = {device: period.activate_at for device, period in periods(world).items()}
    assert planned == dict.fromkeys(["a2", "k1", "k2"], midnight(later))
    pass_time(world, minutes=16)
    assert activate_due(world) == 2
    assert {device for device, period in periods(world).items() if period.state == "active"} == {"a1", "b1"}
    assert verify(world) == []


def test_all_that_a_project_holds_starts_when_it_says(world: Runtime, sender: Sender, later: date) -> None:
    claim(world, sender, b"a1\na2\n", activate_on=later)
    claim(world, sender, b"identifier\nkit-1\n")
    batch = plan_all(world, sender, activate_on=later + timedelta(days=1))
    assert batch["totals"] == {"scheduled": 4}
    assert {period.activate_at for period in periods(world).values()} == {midnight(later + timedelta(days=1))}
    pass_time(world, days=99)
    assert activate_due(world) == 0
    assert plan_all(world, sender)["totals"] == {"scheduled": 4}
    assert activate_due(world) == 4
    assert plan_all(world, sender)["totals"] == {"already_active": 4}
    assert verify(world) == []


def test_what_a_batch_claimed_is_planned_if_the_project_still_holds_it(
    world: Runtime, sender: Sender, later: date
) -> None:
    claim(world, sender, b"a3\n")
    parent = claim(world, sender, b"a1\na2\na3\n")
    release(world, "a1")
    batch = plan_all(world, sender, parent=parent["id"], activate_on=later)
    assert (batch["parent"], codes(world, batch["id"])) == (parent["id"], {"a2": "scheduled"})


def test_a_column_of_days_is_for_claims(runtime: Runtime, sender: Sender, later: date) -> None:
    claim(runtime, sender, b"a1\na2\n")
    rows = b"device_id,activate_on\na1,2020-01-01\na2,2026-13-13\n"
    assert plan_listed(runtime, sender, rows, activate_on=later)["totals"] == {"scheduled": 2}
    assert {period.activate_at for period in periods(runtime).values()} == {midnight(later)}


def test_now_is_not_before_the_hold_window_is_over(runtime: Runtime, sender: Sender, later: date) -> None:
    parent = claim(runtime, sender, b"a1\n", activate_on=later)
    assert plan_all(runtime, sender)["totals"] == {"scheduled": 1}
    assert activate_due(runtime) == 0
    pass_time(runtime, minutes=16)
    assert activate_due(runtime) == 1
    starts = {period.starts_at for period in periods(runtime).values()}
    assert starts == {datetime.fromisoformat(parent["hold_until"])}


def test_a_day_begins_where_the_organization_is(runtime: Runtime, sender: Sender, later: date) -> None:
    with runtime.transaction() as connection:
        connection.execute(text("update organization set time_zone = 'Pacific/Auckland'"))
    claim(runtime, sender, b"a1\n")
    plan_all(runtime, sender, activate_on=later)
    with runtime.transaction() as connection:
        local = connection.execute(text("select activate_at at time zone 'Pacific/Auckland' from subscription"))
        assert local.scalar_one() == midnight(later).replace(tzinfo=None)


def test_a_plan_for_today_costs_nobody_the_hours_before_it(runtime: Runtime, sender: Sender) -> None:
    claim(runtime, sender, b"a1\n")
    pass_time(runtime, minutes=16)
    with runtime.transaction() as connection:
        before = connection.execute(text("select business_now()")).scalar_one()
    plan_all(runtime, sender, activate_on=before.date())
    assert periods(runtime)["a1"].activate_at >= before


@pytest.mark.parametrize("days", [-2, 740])
def test_other_days_are_refused(runtime: Runtime, sender: Sender, days: int) -> None:
    with pytest.raises(Invalid) as refused:
        plan_all(runtime, sender, activate_on=datetime.now(UTC).date() + timedelta(days=days))
    assert refused.value.extensions == {"parameter": "activate"}


def test_a_project_that_holds_nothing_is_planned_at_once(runtime: Runtime, sender: Sender) -> None:
    batch = plan_all(runtime, sender)
    assert (batch["state"], batch["rows_total"], batch["totals"]) == ("completed", 0, {})


def test_more_than_a_batch_may_name_is_rejected_as_a_whole(
    runtime: Runtime, settings: Settings, sender: Sender
) -> None:
    claim(runtime, sender, b"a1\na2\na3\n")
    small = replace(runtime, settings=settings.model_copy(update={"max_results": 2, "max_rows": 1}))
    batch = plan_all(small, sender)
    assert (batch["state"], batch["problem"]["type"]) == ("rejected", "too-many-results")
    assert periods(runtime) == {}


def test_what_one_batch_claimed_is_never_too_much(runtime: Runtime, settings: Settings, sender: Sender) -> None:
    parent = claim(runtime, sender, b"a1\na2\na3\n")
    small = replace(runtime, settings=settings.model_copy(update={"max_results": 2, "max_rows": 1}))
    assert plan_all(small, sender, parent=parent["id"])["totals"] == {"scheduled": 3}
    assert take_back(small, sender, parent["id"])["totals"] == {"released": 3}
    assert periods(runtime) == {}


def test_only_ended_claims_of_the_project_can_be_planned(runtime: Runtime, sender: Sender) -> None:
    south = new_sender(runtime, "south", sender.principal.organization_id)
    stranger = new_sender(runtime, "east")
    waiting = send(runtime, sender, b"a1\n")
    with pytest.raises(WrongState):
        plan_all(runtime, sender, parent=waiting)
    carry_out(runtime, waiting)
    for parent in (waiting, "bat_unknown"):
        with pytest.raises(Invalid):
            plan_all(runtime, stranger, parent=parent)
    with pytest.raises(Invalid):
        plan_all(runtime, south, parent=waiting)
    with pytest.raises(Invalid):
        plan_all(runtime, sender, parent=plan_all(runtime, sender)["id"])
    with pytest.raises(NotFound):
        plan_all(runtime, replace(stranger, project_id=sender.project_id))


def test_a_cancelled_plan_changes_nothing_more(runtime: Runtime, sender: Sender) -> None:
    claim(runtime, sender, b"a1\na2\n")
    options = SubmitOptions("devices")
    batch = plan_held(runtime, sender.principal, sender.project_id, options)["id"]
    cancel(runtime, sender.principal, batch)
    carry_out(runtime, batch)
    ended = get_batch(runtime, sender.principal, batch)
    assert (ended["state"], ended["totals"]) == ("cancelled", {"not_processed": 2})
    assert periods(runtime) == {}
