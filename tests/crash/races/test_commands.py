"""What an owner does to a batch while one of its chunks is under way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from tests.claims import Sender, carry_out, claim, holders, outcomes
from tests.crash.races.conftest import DEVICES, Barrier, HandOf, hand_out, work_items
from tests.crash.system import Places
from tests.embedded.waiting import wait_until
from tests.operations import blocked, codes, ended_claims
from tests.subscriptions import periods
from worker.batches import SubmitOptions, cancel, confirm, get_batch, plan_held, resume, revert
from worker.errors import WrongState
from worker.operations.verify import verify
from worker.principal import Principal
from worker.runtime import Runtime
from worker.states import WorkKind

ABOUT_TO_APPLY = "worker.batches.steps.apply:before"
ABOUT_TO_COMPLETE = "worker.batches.steps._complete:before"
Act = Callable[[Runtime, Principal, str], dict[str, Any]]


def _confirm(runtime: Runtime, principal: Principal, batch_id: str) -> dict[str, Any]:
    return confirm(runtime, principal, batch_id, require_unchanged=False)


def _plan(runtime: Runtime, principal: Principal, batch_id: str) -> dict[str, Any]:
    project = get_batch(runtime, principal, batch_id)["project_id"]
    return plan_held(runtime, principal, project, SubmitOptions("devices", parent=batch_id))


def test_a_cancel_in_the_middle_of_a_chunk_answers_at_once_and_the_chunk_takes_no_effect(
    runtime: Runtime, sender: Sender, hand: HandOf, barrier: Barrier
) -> None:
    batch_id = hand_out(runtime, sender)
    running = hand(WorkKind.APPLY, batch_id)
    barrier.wait_reached()
    cancel(runtime, sender.principal, batch_id)
    barrier.open()
    assert running.rings() == []
    carry_out(runtime, batch_id)
    cancelled = get_batch(runtime, sender.principal, batch_id)
    assert (cancelled["state"], cancelled["totals"]) == ("cancelled", {"not_processed": len(DEVICES)})
    assert holders(runtime) == {}


def test_a_cancel_that_meets_a_chunk_at_its_commit_waits_and_keeps_what_it_claimed(
    runtime: Runtime, sender: Sender, places: Places, hand: HandOf
) -> None:
    batch_id = hand_out(runtime, sender)
    places.arm(ABOUT_TO_APPLY)
    running = hand(WorkKind.APPLY, batch_id)
    places.wait_held(ABOUT_TO_APPLY)
    with ThreadPoolExecutor(1) as pool:
        cancelling = pool.submit(cancel, runtime, sender.principal, batch_id)
        wait_until(blocked(runtime))
        places.release(ABOUT_TO_APPLY)
        cancelling.result(20)
    running.rings()
    carry_out(runtime, batch_id)
    cancelled = get_batch(runtime, sender.principal, batch_id)
    assert (cancelled["state"], cancelled["totals"]) == ("cancelled", {"claimed": 2, "not_processed": 2})
    assert [outcome for *_, outcome in outcomes(runtime, batch_id)].count("claimed") == len(holders(runtime)) == 2
    assert verify(runtime) == []


@pytest.mark.parametrize("act", [_confirm, resume, revert, _plan], ids=["confirm", "resume", "revert", "plan"])
def test_what_has_to_wait_for_the_end_is_refused_while_a_chunk_runs_and_disturbs_nothing(
    runtime: Runtime, sender: Sender, hand: HandOf, barrier: Barrier, act: Act
) -> None:
    batch_id = hand_out(runtime, sender)
    running = hand(WorkKind.APPLY, batch_id)
    barrier.wait_reached()
    with pytest.raises(WrongState):
        act(runtime, sender.principal, batch_id)
    barrier.open()
    running.rings()
    carry_out(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": len(DEVICES)}
    assert {item["attempts"] for item in work_items(runtime, WorkKind.APPLY)} == {1}


def test_a_chunk_that_was_given_up_and_resumed_takes_effect_once_though_its_first_worker_still_runs(
    runtime: Runtime, sender: Sender, hand: HandOf, barrier: Barrier
) -> None:
    batch_id = hand_out(runtime, sender)
    lost = hand(WorkKind.APPLY, batch_id)
    barrier.wait_reached()
    lost.park()
    with runtime.transaction() as connection:
        connection.execute(
            text("update work_item set attempts = 3, lease_expires_at = now() where backend_pid is not null")
        )
    barrier.open()
    carry_out(runtime, batch_id)
    assert get_batch(runtime, sender.principal, batch_id)["state"] == "failed"
    resume(runtime, sender.principal, batch_id)
    carry_out(runtime, batch_id)
    lost.wake()
    assert lost.rings() == []
    assert get_batch(runtime, sender.principal, batch_id)["totals"] == {"claimed": len(DEVICES)}
    assert verify(runtime) == []


def test_of_two_confirmations_at_once_the_second_is_refused(runtime: Runtime, sender: Sender) -> None:
    batch_id = claim(runtime, sender, b"d1\nd2\n", preview=True)["id"]
    with ThreadPoolExecutor(1) as pool:

        def overtake(*_: object) -> None:
            later.append(pool.submit(_confirm, runtime, sender.principal, batch_id))
            wait_until(blocked(runtime))

        later: list[Any] = []
        confirm(runtime, sender.principal, batch_id, require_unchanged=False, in_transaction=overtake)
        with pytest.raises(WrongState):
            later[0].result(20)
    carry_out(runtime, batch_id)
    assert codes(runtime, batch_id) == {"d1": "claimed", "d2": "claimed"}
    assert len(work_items(runtime, WorkKind.RESOLVE)) == 2


def test_a_revert_that_waits_for_a_running_plan_takes_the_plan_back_too(
    runtime: Runtime, sender: Sender, places: Places, hand: HandOf
) -> None:
    batch_id = claim(runtime, sender, b"d1\nd2\n")["id"]
    planned = _plan(runtime, sender.principal, batch_id)["id"]
    places.arm(ABOUT_TO_COMPLETE)
    planning = hand(WorkKind.RESOLVE, planned)
    places.wait_held(ABOUT_TO_COMPLETE)
    undone = revert(runtime, sender.principal, batch_id)["id"]
    reverting = hand(WorkKind.RESOLVE, undone)
    wait_until(blocked(runtime))
    places.release(ABOUT_TO_COMPLETE)
    planning.rings()
    reverting.rings()
    assert codes(runtime, planned) == {"d1": "scheduled", "d2": "scheduled"}
    assert codes(runtime, undone) == {"d1": "released", "d2": "released"}
    assert periods(runtime) == {}
    assert ended_claims(runtime) == ["d1", "d2"]
    assert verify(runtime) == []
