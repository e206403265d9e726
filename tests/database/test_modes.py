"""Atomic batches, previews, limits: claimed as a whole or not at all; and what can be done to a batch."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, claim, holders, new_sender, outcomes, send
from worker.batches import cancel, confirm, get_batch, resume, sweep, work
from worker.batches.sweep import prune
from worker.errors import PreviewLapsed, WrongState
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import Mode


@pytest.fixture(params=[2, 50_000], ids=["in chunks", "at once"])
def world(runtime: Runtime, settings: Settings, request: pytest.FixtureRequest) -> Runtime:
    """The same with chunks of two devices and with one chunk for all."""
    sized = settings.model_copy(update={"chunk_size": request.param})
    return Runtime(sized, runtime.engine, runtime.keys, runtime.doorbell)


@pytest.fixture
def sender(world: Runtime) -> Sender:
    add_devices(world, ["a1", "a2", "a3", "a4", "a5"])
    return new_sender(world, "north")


@pytest.fixture
def rival(world: Runtime, sender: Sender) -> Sender:
    return new_sender(world, "south", sender.principal.organization_id)


def codes(world: Runtime, batch_id: str) -> list[str]:
    return [outcome for _, _, outcome in outcomes(world, batch_id)]


def release(world: Runtime, device_id: str) -> None:
    with world.transaction() as connection:
        connection.execute(
            text("delete from claim using device d where d.key = device_key and d.device_id = :id"), {"id": device_id}
        )


def test_an_atomic_batch_without_bad_rows_is_claimed(world: Runtime, sender: Sender) -> None:
    claim(world, sender, b"a1\n")
    batch = claim(world, sender, b"a1\na2\na2\na3\n", mode=Mode.ATOMIC)
    assert batch["state"] == "completed"
    assert codes(world, batch["id"]) == ["already_yours", "claimed", "duplicate", "claimed"]


@pytest.mark.parametrize("bad", [b"nope", b"1,2E+9", b"held", b"bare"])
def test_one_bad_row_rejects_an_atomic_batch_and_claims_nothing(
    world: Runtime, sender: Sender, rival: Sender, bad: bytes
) -> None:
    add_devices(world, ["held"])
    add_devices(world, ["bare"], months=0)
    claim(world, rival, b"held\n")
    claim(world, sender, b"a1\n")
    batch = claim(world, sender, b"identifier\na1\na2\na2\na3\na4\n" + bad + b"\n", mode=Mode.ATOMIC)
    assert (batch["state"], batch["problem"]["type"]) == ("rejected", "bad-rows")
    expected = {
        b"nope": "not_found",
        b"1,2E+9": "invalid_identifier",
        b"held": "already_claimed",
        b"bare": "not_claimable",
    }
    assert codes(world, batch["id"]) == [
        "already_yours",
        "not_processed",
        "duplicate",
        "not_processed",
        "not_processed",
        expected[bad],
    ]
    assert set(holders(world)) == {"a1", "held"}


def test_a_preview_claims_nothing_and_its_confirmation_claims(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\na2\na3\nnope\n", preview=True)
    assert batch["state"] == "previewed"
    assert batch["totals"] == {"claimable": 3, "not_found": 1}
    assert holders(world) == {}
    assert confirm(world, sender.principal, batch["id"], require_unchanged=False)["state"] == "resolving"
    carry_out(world, batch["id"])
    done = get_batch(world, sender.principal, batch["id"])
    assert (done["state"], done["drift"]) == ("completed", {"changed": 0})
    assert done["totals"] == {"claimed": 3, "not_found": 1}


def test_a_preview_of_an_atomic_batch_with_bad_rows_ends_previewed(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\nnope\na2\na3\n", preview=True, mode=Mode.ATOMIC)
    assert batch["state"] == "previewed"
    assert codes(world, batch["id"]) == ["claimable", "not_found", "claimable", "claimable"]


def changed_preview(world: Runtime, sender: Sender, rival: Sender) -> str:
    """A preview of a1..a3 and b1, after which a2 was taken by a rival and b1 was made."""
    batch = claim(world, sender, b"a1\na2\na3\nb1\n", preview=True)
    claim(world, rival, b"a2\n")
    add_devices(world, ["b1"])
    return str(batch["id"])


def test_a_confirmation_tells_what_has_changed_since_the_preview(world: Runtime, sender: Sender, rival: Sender) -> None:
    batch_id = changed_preview(world, sender, rival)
    confirm(world, sender.principal, batch_id, require_unchanged=False)
    carry_out(world, batch_id)
    done = get_batch(world, sender.principal, batch_id)
    assert (done["state"], done["drift"]) == ("completed", {"changed": 2})
    assert codes(world, batch_id) == ["claimed", "already_claimed", "claimed", "claimed"]
    with world.transaction() as connection:
        shown = connection.execute(text("select preview_outcome from result order by row desc limit 4")).scalars().all()
    assert sum(value is not None for value in shown) >= 1


def test_require_unchanged_rejects_any_change(world: Runtime, sender: Sender, rival: Sender) -> None:
    batch_id = changed_preview(world, sender, rival)
    confirm(world, sender.principal, batch_id, require_unchanged=True)
    carry_out(world, batch_id)
    done = get_batch(world, sender.principal, batch_id)
    assert (done["state"], done["problem"]["type"]) == ("rejected", "preview-changed")
    assert set(holders(world)) == {"a2"}
    assert "not_processed" in codes(world, batch_id)


def test_require_unchanged_claims_what_has_not_changed(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\na2\na3\nnope\na1\n", preview=True)
    confirm(world, sender.principal, batch["id"], require_unchanged=True)
    carry_out(world, batch["id"])
    done = get_batch(world, sender.principal, batch["id"])
    assert (done["state"], done["drift"]) == ("completed", {"changed": 0})


@pytest.mark.parametrize(("limit", "state"), [(2, "rejected"), (3, "completed"), (0, "rejected")])
def test_max_claims_is_never_exceeded(world: Runtime, sender: Sender, rival: Sender, limit: int, state: str) -> None:
    claim(world, rival, b"a4\n")
    batch = claim(world, sender, b"a1\na2\na3\na4\n", max_claims=limit)
    assert batch["state"] == state
    assert batch["totals"].get("claimed", 0) <= limit
    if state == "rejected":
        assert batch["problem"]["type"] == "max-claims-exceeded"
        assert codes(world, batch["id"]) == ["not_processed"] * 3 + ["already_claimed"]


def test_a_batch_cancelled_before_it_began_processes_nothing(world: Runtime, sender: Sender) -> None:
    batch_id = send(world, sender, b"a1\na2\nnope\na1\na3\n")
    cancel(world, sender.principal, batch_id)
    carry_out(world, batch_id)
    assert get_batch(world, sender.principal, batch_id)["state"] == "cancelled"
    assert codes(world, batch_id) == ["not_processed", "not_processed", "not_found", "duplicate", "not_processed"]
    assert holders(world) == {}


def test_cancelling_keeps_what_was_applied(runtime: Runtime, settings: Settings) -> None:
    world = Runtime(settings.model_copy(update={"chunk_size": 2}), runtime.engine, runtime.keys, runtime.doorbell)
    add_devices(world, ["a1", "a2", "a3", "a4", "a5"])
    sender = new_sender(world, "north")
    batch_id = send(world, sender, b"a5\na4\na3\na2\na1\n")
    work.run_resolve(world, batch_id)
    work.run_apply(world, batch_id)
    half = get_batch(world, sender.principal, batch_id)
    assert (half["state"], half["rows_done"], half["rows_total"]) == ("applying", 2, 5)
    assert half["estimated_finish_at"] is not None
    cancel(world, sender.principal, batch_id)
    carry_out(world, batch_id)
    assert get_batch(world, sender.principal, batch_id)["state"] == "cancelled"
    assert codes(world, batch_id) == ["not_processed"] * 3 + ["claimed"] * 2
    assert set(holders(world)) == {"a1", "a2"}


def test_a_cancelled_preview_processed_nothing(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\na2\na3\nnope\n", preview=True)
    cancel(world, sender.principal, batch["id"])
    carry_out(world, batch["id"])
    assert get_batch(world, sender.principal, batch["id"])["state"] == "cancelled"
    assert codes(world, batch["id"]) == ["not_processed"] * 3 + ["not_found"]


def test_a_lapsed_preview_is_cancelled_and_says_so(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\na2\na3\n", preview=True)
    with world.transaction() as connection:
        connection.execute(text("update batch set preview_expires_at = now() - interval '1 second'"))
    with pytest.raises(PreviewLapsed):
        confirm(world, sender.principal, batch["id"], require_unchanged=False)
    prune(world)
    carry_out(world, batch["id"])
    done = get_batch(world, sender.principal, batch["id"])
    assert (done["state"], done["problem"]["type"]) == ("cancelled", "preview-lapsed")


@pytest.mark.parametrize("change", [lambda w, p, b: confirm(w, p, b, require_unchanged=False), cancel, resume])
def test_nothing_can_be_done_to_a_completed_batch(
    world: Runtime, sender: Sender, change: Callable[[Runtime, object, str], object]
) -> None:
    batch = claim(world, sender, b"a1\n")
    with pytest.raises(WrongState):
        change(world, sender.principal, batch["id"])


def test_the_sweep_rings_only_for_what_nobody_works_on(world: Runtime, sender: Sender) -> None:
    send(world, sender, b"a1\n")
    assert sweep.sweep(world).rung == 0
    with world.transaction() as connection:
        connection.execute(text("update work_item set ring_at = now() - interval '1 second'"))
    assert sweep.sweep(world).rung == 1
    assert sweep.sweep(world).rung == 0
