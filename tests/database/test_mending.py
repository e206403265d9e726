"""Failed rows that are sent again: counted down on the batch in which they failed."""

import csv
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, send
from worker.batches import cancel, confirm, get_batch, revert
from worker.operations.verify import verify
from worker.reports import report_csv
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import Mode

Record = list[str]
# The user's own first column, and the row of the report, in the reports of FILE. Both have a column `device_id`.
NAMED, ROW = 0, 2
FILE = b"device_id,note\na1,one\nwrong2,two\nwrong3,three\na4,four\nwrong5,five\n"


@pytest.fixture(params=[2, 50_000], ids=["in chunks", "at once"])
def world(runtime: Runtime, settings: Settings, request: pytest.FixtureRequest) -> Runtime:
    """The same with chunks of two devices and with one chunk for all."""
    sized = settings.model_copy(update={"chunk_size": request.param})
    return Runtime(sized, runtime.engine, runtime.keys, runtime.doorbell)


@pytest.fixture
def sender(world: Runtime) -> Sender:
    add_devices(world, [f"a{number}" for number in range(1, 8)])
    add_devices(world, ["k1", "k2"], kit="box")
    return new_sender(world, "north")


def failed_rows(world: Runtime, sender: Sender, batch_id: str, mend: Callable[[Record], None]) -> bytes:
    """The failed rows of a batch as a script would mend them."""
    report = b"".join(report_csv(world, sender.principal, batch_id, only_failed=True)).decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(report))
    for row in rows:
        mend(row)
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def mend_all(row: Record) -> None:
    row[NAMED] = row[NAMED].replace("wrong", "a")


def mend_only(*numbers: str) -> Callable[[Record], None]:
    def mend(row: Record) -> None:
        if row[ROW] in numbers:
            mend_all(row)

    return mend


def failures(world: Runtime, sender: Sender, batch_id: str) -> Any:
    return get_batch(world, sender.principal, batch_id)["failures"]


def test_mended_rows_are_counted_down_on_the_batch_in_which_they_failed(world: Runtime, sender: Sender) -> None:
    parent = claim(world, sender, FILE)
    assert (parent["failures"], parent["children"]) == ({"rows": 3, "remaining": 3}, [])
    half = claim(world, sender, failed_rows(world, sender, parent["id"], mend_only("2", "5")), parent=parent["id"])
    assert (half["totals"], half["failures"]) == ({"claimed": 2, "not_found": 1}, {"rows": 1, "remaining": 1})
    assert failures(world, sender, parent["id"]) == {"rows": 3, "remaining": 1}
    rest = claim(world, sender, failed_rows(world, sender, parent["id"], mend_all), parent=parent["id"])
    assert rest["totals"] == {"already_yours": 2, "claimed": 1}
    seen = get_batch(world, sender.principal, parent["id"])
    assert seen["failures"] == {"rows": 3, "remaining": 0}
    assert seen["children"] == [half["id"], rest["id"]]
    assert rest["parent"] == parent["id"]


def test_a_mended_file_counts_once_however_often_it_is_sent(world: Runtime, sender: Sender) -> None:
    parent = claim(world, sender, FILE)["id"]
    mended = failed_rows(world, sender, parent, mend_only("2"))
    for _ in range(3):
        claim(world, sender, mended, parent=parent)
        assert failures(world, sender, parent) == {"rows": 3, "remaining": 2}


def test_a_device_that_is_yours_by_another_way_mends_its_row(world: Runtime, sender: Sender) -> None:
    parent = claim(world, sender, FILE)["id"]
    claim(world, sender, b"a2\na3\na5\n")
    claim(world, sender, failed_rows(world, sender, parent, mend_all), parent=parent)
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 0}


def test_a_kit_row_is_mended_when_all_its_devices_are(world: Runtime, sender: Sender) -> None:
    rival = new_sender(world, "south")
    claim(world, rival, b"k2\n")
    parent = claim(world, sender, b"kit_id\nbox\nwrong\n")
    assert parent["failures"] == {"rows": 2, "remaining": 2}
    again = failed_rows(world, sender, parent["id"], lambda row: row.__setitem__(NAMED, "box"))
    child = claim(world, sender, again, parent=parent["id"])
    assert child["totals"]["already_claimed"] == 1
    assert failures(world, sender, parent["id"]) == {"rows": 2, "remaining": 1}


def test_only_rows_that_failed_can_be_mended(world: Runtime, sender: Sender) -> None:
    parent = claim(world, sender, FILE)["id"]
    report = b"".join(report_csv(world, sender.principal, parent)).replace(b"wrong2", b"a2")
    claim(world, sender, report, parent=parent)
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 2}
    made_up = b"device_id,row,line,outcome,device_id,detail,hint\na6,99,,,,,\na7,0,,,,,\na3,x,,,,,\na5,-1,,,,,\n"
    assert claim(world, sender, made_up, parent=parent)["totals"] == {"claimed": 4}
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 2}


def test_a_file_that_does_not_tell_its_rows_counts_what_it_newly_claims(world: Runtime, sender: Sender) -> None:
    parent = claim(world, sender, FILE)["id"]
    for _ in range(2):
        claim(world, sender, b"a2\na1\nnope\n", parent=parent)
        assert failures(world, sender, parent) == {"rows": 3, "remaining": 2}
    claim(world, sender, b"kit_id\nbox\n", parent=parent)
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 1}
    claim(world, sender, b"a5\na6\na7\n", parent=parent)
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 0}


def test_a_preview_mends_nothing_until_it_is_confirmed(world: Runtime, sender: Sender) -> None:
    parent = claim(world, sender, FILE)["id"]
    mended = failed_rows(world, sender, parent, mend_all)
    child = claim(world, sender, mended, parent=parent, preview=True)["id"]
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 3}
    confirm(world, sender.principal, child, require_unchanged=False)
    assert failures(world, sender, child) is None
    carry_out(world, child)
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 0}


def test_a_rejected_or_cancelled_batch_mends_nothing(world: Runtime, sender: Sender) -> None:
    parent = claim(world, sender, FILE)["id"]
    mended = failed_rows(world, sender, parent, mend_only("2", "3"))
    assert claim(world, sender, mended, parent=parent, mode=Mode.ATOMIC)["state"] == "rejected"
    cancelled = send(world, sender, mended, parent=parent)
    assert failures(world, sender, cancelled) is None
    cancel(world, sender.principal, cancelled)
    carry_out(world, cancelled)
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 3}


def test_what_a_reverted_batch_had_mended_is_there_to_be_mended_again(world: Runtime, sender: Sender) -> None:
    parent = claim(world, sender, FILE)["id"]
    mended = failed_rows(world, sender, parent, mend_all)
    child = claim(world, sender, mended, parent=parent)["id"]
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 0}
    carry_out(world, revert(world, sender.principal, child)["id"])
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 3}
    assert claim(world, sender, mended, parent=parent)["totals"] == {"claimed": 3}
    assert failures(world, sender, parent) == {"rows": 3, "remaining": 0}
    assert verify(world) == []


def test_two_mended_files_at_once_count_every_row_once(runtime: Runtime, sender: Sender) -> None:
    parent = claim(runtime, sender, FILE)["id"]
    mended = failed_rows(runtime, sender, parent, mend_only("2", "3"))
    children = [send(runtime, sender, mended, parent=parent) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda child: carry_out(runtime, child), children))
    assert failures(runtime, sender, parent) == {"rows": 3, "remaining": 1}
    assert verify(runtime) == []


def test_a_chain_counts_on_each_batch_what_its_own_children_mended(world: Runtime, sender: Sender) -> None:
    first = claim(world, sender, FILE)["id"]
    second = claim(world, sender, failed_rows(world, sender, first, mend_only("2")), parent=first)["id"]
    # In the report of the second batch, row 3 of the first is row 2.
    third = claim(world, sender, failed_rows(world, sender, second, mend_only("2")), parent=second)["id"]
    assert failures(world, sender, third) == {"rows": 1, "remaining": 1}
    assert failures(world, sender, second) == {"rows": 2, "remaining": 1}
    assert failures(world, sender, first) == {"rows": 3, "remaining": 2}
