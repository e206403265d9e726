"""What became of each row that named a kit."""

import pytest

from tests.claims import Sender, add_devices, claim, new_sender, send
from tests.database.reports.reading import show_in_capitals
from worker.errors import Invalid, NotFound, ResultsNotReady
from worker.reports import kits_page
from worker.runtime import Runtime


def test_each_kit_row_counts_its_devices_by_outcome(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["k1", "k2", "k3"], kit="kit-7")
    show_in_capitals(runtime)
    add_devices(runtime, ["e1"], kit="kit-8")
    batch = claim(runtime, sender, b"identifier,kit_id\nk2,\nkit-7,\n, KIT-8 \nkit-7,\n,No-Kit\n,a b\n")
    page = kits_page(runtime, sender.principal, batch["id"])
    assert page == {
        "items": [
            {"row": 2, "kit_id": "KIT-7", "devices": 3, "outcomes": {"claimed": 2, "duplicate": 1}},
            {"row": 3, "kit_id": "kit-8", "devices": 1, "outcomes": {"claimed": 1}},
            {"row": 4, "kit_id": "KIT-7", "devices": 3, "outcomes": {"duplicate": 3}},
            {"row": 5, "kit_id": "no-kit", "devices": 0, "outcomes": {"not_found": 1}},
        ],
        "next_cursor": None,
    }


def test_kits_come_in_pages(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"kit_id\n" + b"".join(b"no-%d\n" % number for number in range(5)))
    found: list[str] = []
    cursor = None
    while not found or cursor:
        page = kits_page(runtime, sender.principal, batch["id"], 2, cursor)
        found += [kit["kit_id"] for kit in page["items"]]
        cursor = page["next_cursor"]
    assert found == [f"no-{number}" for number in range(5)]


@pytest.mark.parametrize(("limit", "cursor"), [(0, None), (1001, None), (1, "x"), (1, "WzEsMl0")])
def test_a_bad_limit_or_cursor_is_refused(runtime: Runtime, sender: Sender, limit: int, cursor: str | None) -> None:
    batch = claim(runtime, sender, b"kit_id\nno\n")
    with pytest.raises(Invalid):
        kits_page(runtime, sender.principal, batch["id"], limit, cursor)


def test_kits_are_for_those_who_see_the_project_once_the_batch_has_ended(runtime: Runtime, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"kit_id\nno\n")
    with pytest.raises(ResultsNotReady):
        kits_page(runtime, sender.principal, batch_id)
    with pytest.raises(NotFound):
        kits_page(runtime, new_sender(runtime, "Stranger").principal, batch_id)
