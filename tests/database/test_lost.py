"""What was accepted and is not in the database is found by the API's log, or by what clients were told."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.claims import Sender, add_devices, claim, new_sender, send
from tests.operations import plan_all, take_back
from worker.batches import get_batch, list_batches
from worker.errors import EnvironmentProblem
from worker.operations.lost import Accepted, find_lost, read_accepted
from worker.runtime import Runtime


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a1", "a2"])
    return new_sender(runtime, "north")


def lines(documents: Sequence[Any], before: str = "") -> list[bytes]:
    return [f"{before}{json.dumps(each)}\n".encode() for each in documents]


def lost(runtime: Runtime, log: Sequence[bytes]) -> list[Accepted]:
    return find_lost(runtime, read_accepted("api.log", log))


def test_every_accepted_batch_is_logged_with_all_that_is_needed_to_send_it_again(
    runtime: Runtime, sender: Sender
) -> None:
    with capture_logs() as log:
        batch_id = send(runtime, sender, b"a1\n", reference="order 7", file_name="seven.csv")
        claimed = claim(runtime, sender, b"a2\n")
        planned = plan_all(runtime, sender)
        reverted = take_back(runtime, sender, claimed["id"])
    told = [each for each in log if each["event"] == "batch accepted"]
    assert [each["batch_id"] for each in told] == [batch_id, claimed["id"], planned["id"], reverted["id"]]
    assert [each["operation"] for each in told] == ["claim", "claim", "plan", "revert"]
    document = get_batch(runtime, sender.principal, batch_id)
    for name in ("reference", "file_name", "input_sha256", "created_at", "project_id"):
        assert told[0][name] == document[name] is not None
    assert told[0]["organization_id"] == sender.principal.organization_id


def test_what_the_database_never_saw_is_named_once_and_in_order(runtime: Runtime, sender: Sender) -> None:
    with capture_logs() as log:
        known = send(runtime, sender, b"a1\n", reference="kept")
    newer = {**log[0], "batch_id": "bat_new", "reference": "gone", "created_at": "2999-01-02T00:00:00Z"}
    oldest = {**newer, "batch_id": "bat_old", "created_at": "2999-01-01T00:00:00Z"}
    found = lost(runtime, lines([*log, {"event": "something else"}, newer, oldest, newer], "api-1  | "))
    assert [(each.batch_id, each.reference) for each in found] == [("bat_old", "gone"), ("bat_new", "gone")]
    assert lost(runtime, lines(log)) == []
    assert known


def test_an_export_of_batches_is_as_good_as_the_log(runtime: Runtime, sender: Sender) -> None:
    send(runtime, sender, b"a1\n")
    page = list_batches(runtime, sender.principal, None, None, 10, None)
    gone = {**page["items"][0], "id": "bat_gone", "reference": "order 9"}
    expected = Accepted("bat_gone", gone["created_at"], "claim", None, gone["project_id"], None, "order 9", None, "")
    for export in ([{**page, "items": [*page["items"], gone]}], [page["items"][0], gone]):
        found = lost(runtime, lines(export))
        assert [replace(each, input_sha256="") for each in found] == [expected]


def test_a_log_that_cannot_be_read_is_refused_instead_of_called_complete(runtime: Runtime) -> None:
    for log in ([], [b"2026-11-21 [info] batch accepted batch_id=bat_1\n"], [b"{\n", b'"items": [\n', b"]}\n"]):
        with pytest.raises(EnvironmentProblem, match=r"api\.log has no line in JSON"):
            lost(runtime, log)
