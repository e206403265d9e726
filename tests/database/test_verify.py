"""`claimd verify` accepts what claimd made and finds what others broke."""

import pytest

from tests.claims import Sender, add_devices, claim, new_sender, send
from worker.batches import cancel
from worker.operations.verify import NO_CODE, SEALED, verify
from worker.queries.invariants import INVARIANTS
from worker.queries.subscription_invariants import SUBSCRIPTION_INVARIANTS
from worker.runtime import Runtime
from worker.states import Mode


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    """Someone with batches in many states."""
    sender = new_sender(runtime, "north")
    add_devices(runtime, ["a1", "a2", "a3"], codes=True)
    add_devices(runtime, ["k1", "k2"], kit="kit-1")
    claim(runtime, sender, b"identifier\nkit-1\nk1\na1\nnope\n")
    claim(runtime, sender, b"serial_number,claim_code\nsn-a2,code-a2\nsn-a3,secret-wrong-code\n")
    claim(runtime, sender, b"a3\nnope\n", mode=Mode.ATOMIC)
    claim(runtime, sender, b"a3\n", preview=True)
    claim(runtime, sender, b"")
    cancel(runtime, sender.principal, send(runtime, sender, b"a3\n"))
    send(runtime, sender, b"a3\n")
    return sender


@pytest.mark.usefixtures("sender")
def test_what_claimd_made_is_in_order(runtime: Runtime) -> None:
    assert verify(runtime) == []


_ENDPOINT = (
    "insert into endpoint (public_id, organization_key, kind, target, events) values ('ep', 1, '{}', 'a@b.c', '{{*}}');"
)
_TOLD = (
    _ENDPOINT.format("email") + "insert into event (organization_key, type, data) values (1, 'ping', '{}');"
    "insert into delivery (event_key, endpoint_key, give_up_at) values (1, 1, now() + interval '3 days');"
)
BREAKING = {
    "every row of a batch has its result": "delete from result where row = 4",
    "the totals of a batch are those of its results": "update batch set totals = '{\"claimed\": 9}' where key = 1",
    "a device has one result in a row": "insert into result select batch_key, row, 9::smallint, outcome, reason, "
    "named_by, null, duplicate_of_row, device_key from result where batch_key = 1 and row = 3",
    "a result that led to a device names one that exists": "update result set device_key = 999 where row = 3",
    "a duplicate repeats an earlier row": "update result set duplicate_of_row = 3 where duplicate_of_row = 1",
    "a claim has a device and a project": "insert into claim values (999, 1, 1, now())",
    "a claim has its result": "delete from result where outcome = 1",
    "a claim is its batch's project's": "insert into claim values (3, 77, 1, now())",
    "a claimed result has its claim, now or in the history": "delete from claim; delete from claim_history",
    "what only looked claimed nothing": "insert into claim select 3, 1, key, now() from batch "
    "where state = 'previewed'",
    "a reverting batch has its revert on the way": "update batch set state = 'reverting' where key = 1",
    "a batch is reverted by its revert, and only then": "update batch set state = 'reverted' where key = 1",
    "a reverted batch holds only what had started": "update batch set state = 'reverted' where key = 1",
    "an ended batch has no open work": "update work_item set done_at = null, end_state = null where batch_key = 1",
    "an open batch has open work": "delete from work_item where done_at is null",
    "packed arrays go when their batch ends": "insert into resolution values (1, 0, 'x')",
    "an input belongs to a batch or lapses": "insert into upload (expires_at) values (null)",
    "a batch has its input whole": "delete from upload_block where upload_key = 1",
    "what is no longer kept is gone": "update batch set results_pruned_at = now() where key = 1",
    "a mended row is one of the parent, counted by the batch that mended it": "insert into mended_row values (1, 1, 2)",
    "a kit has 1 to 100 devices": "insert into kit (kit_id) values ('hollow')",
    "a device's kit exists": "update device set kit_key = 999 where device_id = 'a1'",
    "no identifier is a device's and a kit's": "insert into kit (kit_id) values ('a1')",
    "an event has somebody to be told": _TOLD + "delete from delivery",
    "an endpoint is told of its own organization only": _TOLD + "insert into organization (public_id, name) "
    "values ('org_2', 'south'); update event set organization_key = 2",
    "a delivery is of its event's batch": _TOLD + "update delivery set batch_key = 1",
    "what was delivered was answered": _TOLD + "update delivery set state = 'delivered', ended_at = now()",
    "nothing waits for a deleted endpoint": _TOLD + "update endpoint set deleted_at = now()",
    "a webhook can be signed": _ENDPOINT.format("webhook"),
    "what was due is tried": _TOLD + "update delivery set next_attempt_at = now() - interval '1 hour';"
    "insert into periodic_task (name, succeeded_at) values ('reports.deliver_due', now())",
    SEALED: "update upload_block set data = decode(repeat('ab', length(data)), 'hex') where upload_key = 1",
    NO_CODE: "update batch set reference = 'the code is secret-wrong-code, you know'",
}


def test_every_invariant_is_broken_once() -> None:
    assert set(BREAKING) == {*INVARIANTS, SEALED, NO_CODE} - set(SUBSCRIPTION_INVARIANTS)


@pytest.mark.usefixtures("sender")
@pytest.mark.parametrize("invariant", BREAKING)
def test_each_broken_invariant_is_found(runtime: Runtime, invariant: str) -> None:
    with runtime.transaction() as connection:
        connection.exec_driver_sql(BREAKING[invariant])
    assert invariant in {violation.invariant for violation in verify(runtime)}
