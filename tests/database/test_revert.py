"""A batch is taken back within its hold window, and everything is as before but for the history."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, claim, holders, new_sender, outcomes, send
from tests.clock import pass_time
from tests.operations import codes, ended_claims, plan_all, release, take_back
from tests.subscriptions import periods
from worker.batches import cancel, confirm, get_batch, resume, revert, work
from worker.batches.submit import InTransaction
from worker.errors import HoldWindowOver, NotFound, WrongState
from worker.operations.verify import verify
from worker.reports import original_input, report_csv
from worker.runtime import Runtime
from worker.settings import Settings


@pytest.fixture(params=[2, 50_000], ids=["in chunks", "at once"])
def world(runtime: Runtime, settings: Settings, request: pytest.FixtureRequest) -> Runtime:
    """The same with chunks of two devices and with one chunk for all."""
    return replace(runtime, settings=settings.model_copy(update={"chunk_size": request.param}))


@pytest.fixture
def sender(world: Runtime) -> Sender:
    add_devices(world, ["a3", "a1", "a2"])
    add_devices(world, ["k1", "k2"], kit="kit-1")
    return new_sender(world, "north")


def test_a_reverted_batch_gives_its_devices_back(world: Runtime, sender: Sender) -> None:
    kept = claim(world, sender, b"a2\n")
    batch = claim(world, sender, b"identifier\na3\na2\nkit-1\na1\na3\nnope\n")
    child = take_back(world, sender, batch["id"])
    assert (child["state"], child["operation"], child["parent"]) == ("completed", "revert", batch["id"])
    assert [(row, device) for row, device, _ in outcomes(world, child["id"])] == [
        (1, "a3"),
        (2, "k1"),
        (3, "k2"),
        (4, "a1"),
    ]
    assert child["totals"] == {"released": 4}
    assert set(holders(world)) == {"a2"}
    assert ended_claims(world) == ["a1", "a3", "k1", "k2"]
    parent = get_batch(world, sender.principal, batch["id"])
    assert (parent["state"], parent["totals"]) == ("reverted", batch["totals"])
    assert get_batch(world, sender.principal, kept["id"])["state"] == "completed"
    assert list(verify(world)) == []


def test_its_results_can_be_read_again_once_it_is_reverted(world: Runtime, sender: Sender) -> None:
    batch = claim(world, sender, b"a1\nnope\n")
    before = b"".join(report_csv(world, sender.principal, batch["id"]))
    child = take_back(world, sender, batch["id"])
    assert b"".join(report_csv(world, sender.principal, batch["id"])) == before
    told = b"".join(report_csv(world, sender.principal, child["id"])).decode("utf-8-sig")
    assert told.splitlines()[:2] == [
        "device_id,row,line,outcome,device_id,detail,hint",
        "a1,1,2,released,a1,Given back; its subscription had not started.,",
    ]
    assert b"".join(original_input(world, sender.principal, child["id"]).body) == b"device_id\na1\n"
