"""A batch is taken back within its hold window, and everything is as before but for the history."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, claim, holders, new_sender, outcomes, send
from tests.clock import pass_time
from tests.operations import codes, ended_claims, plan_all, release, take_back
from tests.subscriptions import periods
from worker.batches import cancel, confirm, get_batch, resume, revert, work
from worker.errors import HoldWindowOver, NotFound, ResultsNotReady, WrongState
from worker.operations.verify import verify
from worker.reports import original_input, report_csv, results_page
from worker.runtime import Runtime
from worker.settings import Settings
from worker.subscriptions import activate_due


@pytest.fixture(params=[2, 50_000], ids=["in chunks", "at once"])
def world(runtime: Runtime, settings: Settings, request: pytest.FixtureRequest) -> Runtime:
    """The same with chunks of two devices and with one chunk for all."""
    return replace(runtime, settings=settings.model_copy(update={"chunk_size": request.param}))


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a3", "a1", "a2"])
    add_devices(runtime, ["k1", "k2"], kit="kit-1")
    return new_sender(runtime, "north")


def test_a_reverted_batch_gives_its_devices_back(world: Runtime, sender: Sender) -> None:
    kept = claim(world, sender, b"a2\n")
    batch = claim(world, sender, b"identifier\na3\na2\nkit-1\na1\na3\nnope\n")
    child = take_back(world, sender, batch["id"])
    assert (child["state"], child["operation"], child["parent"]) == ("completed", "revert", batch["id"])
    assert [(row, device) for row, device, _ in outcomes(world, child["id"])] == [
        (1, "a3"),
        (2, "a1"),
        (3, "k1"),
        (4, "k2"),
    ]
    assert child["totals"] == {"released": 4}
    assert set(holders(world)) == {"a2"}
    assert ended_claims(world) == ["a1", "a3", "k1", "k2"]
    parent = get_batch(world, sender.principal, batch["id"])
    assert (parent["state"], parent["totals"]) == ("reverted", batch["totals"])
    assert get_batch(world, sender.principal, kept["id"])["state"] == "completed"
    assert verify(world) == []


def test_its_results_can_be_read_again_once_it_is_reverted(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\nnope\n")
    before = b"".join(report_csv(runtime, sender.principal, batch["id"]))
    child = take_back(runtime, sender, batch["id"])
    assert b"".join(report_csv(runtime, sender.principal, batch["id"])) == before
    told = b"".join(report_csv(runtime, sender.principal, child["id"])).decode("utf-8-sig")
    assert told.splitlines()[:2] == [
        "device_id,row,line,outcome,device_id,detail,hint",
        "a1,1,2,released,a1,Given back; its subscription had not started.,",
    ]
    assert b"".join(original_input(runtime, sender.principal, child["id"]).body) == b"device_id\na1\n"


def test_reverted_devices_can_be_claimed_again_also_by_their_codes(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["c1"], codes=True)
    rival = new_sender(runtime, "south")
    pair = b"serial_number,claim_code\nsn-c1,code-c1\n"
    batch = claim(runtime, sender, pair)
    assert claim(runtime, rival, pair)["totals"] == {"not_found": 1}
    take_back(runtime, sender, batch["id"])
    assert claim(runtime, rival, pair)["totals"] == {"claimed": 1}
    assert holders(runtime) == {"c1": rival.project_id}
    assert verify(runtime) == []


def test_what_a_batch_holds_no_more_is_not_released(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\na2\na3\n")
    release(world, "a1")
    release(world, "a2")
    rival = new_sender(world, "south")
    claim(world, rival, b"a1\n")
    child = take_back(world, sender, batch["id"])
    assert codes(world, child["id"]) == {"a1": "not_yours", "a2": "not_yours", "a3": "released"}
    assert holders(world) == {"a1": rival.project_id}
    assert get_batch(world, sender.principal, batch["id"])["state"] == "reverted"
    assert verify(world) == []


def test_prepaid_time_that_runs_is_not_taken_back(world: Runtime, sender: Sender) -> None:
    """Only a hand can have started it within the hold window."""
    batch = claim(world, sender, b"a1\na2\n")
    plan_all(world, sender)
    start = text("""
        update subscription set state = 'active', starts_at = activate_at, ends_at = activate_at + interval '1 year'
        where device_key = (select key from device where device_id = 'a1')""")
    with world.transaction() as connection:
        connection.execute(start)
    child = take_back(world, sender, batch["id"])
    assert codes(world, child["id"]) == {"a1": "already_active", "a2": "released"}
    assert {device: period.state for device, period in periods(world).items()} == {"a1": "active"}
    assert set(holders(world)) == {"a1"}


def test_a_revert_a_second_too_late_is_refused(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\n")
    pass_time(runtime, minutes=15, seconds=1)
    with pytest.raises(HoldWindowOver):
        revert(runtime, sender.principal, batch["id"])
    assert get_batch(runtime, sender.principal, batch["id"])["state"] == "completed"


def test_a_revert_that_was_asked_for_in_time_goes_through_however_late(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\n")
    pass_time(runtime, minutes=14, seconds=50)
    child = revert(runtime, sender.principal, batch["id"])
    pass_time(runtime, days=7)
    assert activate_due(runtime) == 0
    carry_out(runtime, child["id"])
    assert get_batch(runtime, sender.principal, batch["id"])["state"] == "reverted"
    assert activate_due(runtime) == 0
    assert (holders(runtime), periods(runtime)) == ({}, {})


def test_without_a_hold_window_nothing_is_taken_back(runtime: Runtime, settings: Settings, sender: Sender) -> None:
    hasty = replace(runtime, settings=settings.model_copy(update={"hold_window": timedelta(0)}))
    batch = claim(hasty, sender, b"a1\n")
    with pytest.raises(HoldWindowOver):
        revert(hasty, sender.principal, batch["id"])


def test_a_batch_that_starts_later_is_held_no_longer(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\n", activate_on=date.today() + timedelta(days=30))  # noqa: DTZ011  # any day
    pass_time(runtime, minutes=16)
    with pytest.raises(HoldWindowOver):
        revert(runtime, sender.principal, batch["id"])


def test_a_cancelled_batch_can_be_reverted(runtime: Runtime, settings: Settings, sender: Sender) -> None:
    world = replace(runtime, settings=settings.model_copy(update={"chunk_size": 1}))
    batch_id = send(world, sender, b"a1\na2\na3\n")
    work.run_resolve(world, batch_id)
    work.run_apply(world, batch_id)
    cancel(world, sender.principal, batch_id)
    carry_out(world, batch_id)
    assert len(holders(world)) == 1
    assert take_back(world, sender, batch_id)["totals"] == {"released": 1}
    assert holders(world) == {}
    assert verify(world) == []


def test_a_batch_that_claimed_nothing_can_be_reverted(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"nope\n")
    child = take_back(runtime, sender, batch["id"])
    assert (child["state"], child["rows_total"], child["totals"]) == ("completed", 0, {})
    assert b"".join(report_csv(runtime, sender.principal, child["id"])).startswith(b"\xef\xbb\xbfdevice_id,row,")
    assert results_page(runtime, sender.principal, child["id"])["items"] == []
    assert get_batch(runtime, sender.principal, batch["id"])["state"] == "reverted"
    assert verify(runtime) == []


@pytest.mark.parametrize("body", [b"", b"a1\n"], ids=["rejected", "previewed"])
def test_only_ended_claims_can_be_reverted(runtime: Runtime, sender: Sender, body: bytes) -> None:
    batch = claim(runtime, sender, body, preview=True)
    with pytest.raises(WrongState, match="completed or cancelled"):
        revert(runtime, sender.principal, batch["id"])


def test_a_revert_is_neither_repeated_nor_undone_nor_stopped(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\n")
    child = revert(runtime, sender.principal, batch["id"])
    assert get_batch(runtime, sender.principal, batch["id"])["state"] == "reverting"
    for act in (revert, cancel, resume):
        with pytest.raises(WrongState):
            act(runtime, sender.principal, batch["id"])
        with pytest.raises(WrongState):
            act(runtime, sender.principal, child["id"])
    with pytest.raises(WrongState):
        confirm(runtime, sender.principal, child["id"], require_unchanged=False)
    with pytest.raises(ResultsNotReady):
        original_input(runtime, sender.principal, child["id"])
    carry_out(runtime, child["id"])
    for batch_id in (batch["id"], child["id"]):
        with pytest.raises(WrongState):
            revert(runtime, sender.principal, batch_id)


def test_a_revert_goes_on_where_its_worker_died(
    runtime: Runtime, settings: Settings, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once before the list is the batch's own, once after it: the first lapses, the second is used again."""
    monkeypatch.setattr("worker.batches.uploads.BLOCK_BYTES", 8)
    batch = claim(runtime, sender, b"a1\na2\n")
    child = revert(runtime, sender.principal, batch["id"])["id"]
    die_in(runtime, child, monkeypatch, "worker.batches.generated._store")
    assert uploads(runtime) == 1
    die_in(runtime, child, monkeypatch, "worker.batches.steps.resolve_input")
    assert uploads(runtime) == 2
    carry_out(replace(runtime, settings=settings), child)
    assert uploads(runtime) == 2
    assert codes(runtime, child) == {"a1": "released", "a2": "released"}
    assert verify(runtime) == []


def test_a_failed_revert_can_be_resumed(runtime: Runtime, settings: Settings, sender: Sender) -> None:
    world = replace(runtime, settings=settings.model_copy(update={"chunk_size": 1}))
    batch = claim(world, sender, b"a1\na2\na3\n")
    child = revert(world, sender.principal, batch["id"])["id"]
    work.run_resolve(world, child)
    give_up = text("""
        update work_item set done_at = now(), end_state = 'poisoned'
        where kind = 'apply' and number = 1 and done_at is null""")
    with world.transaction() as connection:
        connection.execute(give_up)
    carry_out(world, child)
    assert get_batch(world, sender.principal, child)["totals"] == {"released": 2, "not_processed": 1}
    assert get_batch(world, sender.principal, child)["state"] == "failed"
    assert get_batch(world, sender.principal, batch["id"])["state"] == "reverting"
    assert verify(world) == []
    resume(world, sender.principal, child)
    carry_out(world, child)
    assert get_batch(world, sender.principal, child)["totals"] == {"released": 3}
    assert get_batch(world, sender.principal, batch["id"])["state"] == "reverted"
    assert verify(world) == []


def test_what_others_batches_are_is_not_told(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\n")
    with pytest.raises(NotFound):
        revert(runtime, new_sender(runtime, "south").principal, batch["id"])


def test_endpoints_hear_of_the_revert_and_of_what_it_reverted(runtime: Runtime, sender: Sender) -> None:
    with runtime.transaction() as connection:
        connection.execute(
            text("""insert into endpoint (public_id, organization_key, kind, target, events)
                values ('end_1', :organization, 'webhook', 'https://a.test', '{batch.completed,batch.reverted}')"""),
            {"organization": sender.principal.organization_key},
        )
    batch = claim(runtime, sender, b"a1\n")
    child = take_back(runtime, sender, batch["id"])
    with runtime.transaction() as connection:
        told = connection.execute(text("select type, data ->> 'batch_id' from event order by key")).all()
    assert [tuple(row) for row in told] == [
        ("batch.completed", batch["id"]),
        ("batch.completed", child["id"]),
        ("batch.reverted", batch["id"]),
    ]


def die_in(runtime: Runtime, batch_id: str, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Let a worker end in its resolve step."""

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(place, die)
        with pytest.raises(SystemExit):
            work.run_resolve(runtime, batch_id)


def uploads(runtime: Runtime) -> int:
    """How many lists have been stored for reverts."""
    with runtime.transaction() as connection:
        return int(connection.execute(text("select count(*) - 1 from upload")).scalar_one())
