"""Results as JSON: what is told of each outcome, to whom, and in which pages."""

import json
from dataclasses import replace

import pytest

from tests.claims import Sender, add_devices, carry_out, claim, new_sender, send
from tests.database.reports.reading import all_items, items, show_in_capitals, told, viewer_of
from worker.batches import confirm
from worker.errors import Invalid, NotFound, ResultsNotReady
from worker.reports import results_page
from worker.runtime import Runtime
from worker.states import Mode, Outcome


def test_a_result_has_what_was_typed_beside_what_became_of_it(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"])
    batch = claim(runtime, sender, b"\n Device ID ;Room\n A1 ; 2.15 \n")
    assert items(runtime, sender, batch) == [
        {
            "row": 1,
            "line": 3,
            "input": {"Device ID": " A1 ", "Room": " 2.15 "},
            "outcome": "claimed",
            "device_id": "a1",
            "kit_id": None,
            "serial_number": None,
            "detail": "Claimed for the project.",
            "hint": None,
            "duplicate_of_row": None,
            "preview_outcome": None,
        }
    ]


def test_what_cannot_be_an_identifier_is_told_with_its_reason_first(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"device_id\n1.23E+19\na b\n" + b"a" * 65 + b"\n")
    details = [item["detail"].split(": ")[0] for item in items(runtime, sender, batch)]
    assert details == ["mangled_by_spreadsheet", "bad_character", "too_long"]
    assert all(item["hint"] and item["device_id"] is None for item in items(runtime, sender, batch))


def test_unknown_and_closed_are_told_alike(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"], codes=True)
    add_devices(runtime, ["b1"])
    body = b"serial_number,claim_code,kit_id\nsn-a1,wrong,\nsn-b1,code,\nsn-zz,code,\n,,no-kit\n"
    batch = claim(runtime, sender, body)
    names = ("outcome", "detail", "hint", "device_id", "kit_id", "serial_number")
    assert len(set(told(runtime, sender, batch, *names))) == 1
    assert items(runtime, sender, batch)[0]["outcome"] == "not_found"


def test_a_duplicate_tells_the_kit_only_if_the_earlier_row_named_it(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["k1", "k2"], kit="kit-7")
    batch = claim(runtime, sender, b"identifier\nkit-7\nk1\n")
    assert told(runtime, sender, batch, "row", "detail", "duplicate_of_row", "kit_id")[2] == (
        2,
        "The same device as row 1 (kit kit-7).",
        1,
        "kit-7",
    )
    other = new_sender(runtime, "South")
    batch = claim(runtime, other, b"identifier\nk1\nkit-7\n")
    assert told(runtime, other, batch, "row", "detail", "kit_id") == [
        (1, "Held by someone else.", None),
        (2, "The same device as row 1.", "kit-7"),
        (2, "Held by someone else.", "kit-7"),
    ]


def test_kit_and_serial_number_are_kept_from_those_who_neither_named_them_nor_hold_the_device(
    runtime: Runtime, sender: Sender
) -> None:
    add_devices(runtime, ["k1"], kit="kit-7", codes=True)
    names = ("device_id", "kit_id", "serial_number")
    preview = claim(runtime, sender, b"k1\n", preview=True)
    assert told(runtime, sender, preview, *names) == [("k1", None, None)]
    named = claim(runtime, sender, b"serial_number,claim_code\nsn-k1,code-k1\nsn-k1,code-k1\n", preview=True)
    assert told(runtime, sender, named, *names) == [("k1", None, "sn-k1")] * 2
    claim(runtime, sender, b"k1\n")
    assert told(runtime, sender, preview, *names) == [("k1", "kit-7", "sn-k1")]


def test_a_duplicate_of_a_serial_number_row_may_know_the_serial_number(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"], codes=True)
    body = b"serial_number,claim_code,device_id\nsn-a1,code-a1,\n,,a1\n"
    batch = claim(runtime, sender, body, preview=True)
    assert told(runtime, sender, batch, "outcome", "serial_number") == [
        ("claimable", "sn-a1"),
        ("duplicate", "sn-a1"),
    ]


def test_the_holding_project_is_named_only_to_those_who_see_it(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"])
    claim(runtime, sender, b"a1\n")
    sibling = new_sender(runtime, "South", sender.principal.organization_id)
    stranger = new_sender(runtime, "Stranger")
    batch = claim(runtime, sibling, b"a1\n")
    assert told(runtime, sibling, batch, "detail") == [("Held by your project 'North'.",)]
    narrow = replace(sibling, principal=viewer_of(runtime, sibling))
    assert told(runtime, narrow, batch, "detail") == [("Held by someone else.",)]
    batch = claim(runtime, stranger, b"a1\n")
    assert told(runtime, stranger, batch, "detail") == [("Held by someone else.",)]


def test_a_result_that_differs_from_its_preview_tells_both(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1", "a2"])
    batch = claim(runtime, sender, b"a1\na2\n", preview=True)
    assert told(runtime, sender, batch, "outcome", "preview_outcome") == [("claimable", None)] * 2
    claim(runtime, new_sender(runtime, "South"), b"a1\n")
    confirm(runtime, sender.principal, batch["id"], require_unchanged=False)
    carry_out(runtime, batch["id"])
    assert told(runtime, sender, batch, "outcome", "preview_outcome") == [
        ("already_claimed", "claimable"),
        ("claimed", None),
    ]


def test_rows_that_were_not_reached_are_told(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1"])
    batch = claim(runtime, sender, b"device_id\na1\nnope\n", mode=Mode.ATOMIC)
    assert batch["state"] == "rejected"
    assert told(runtime, sender, batch, "outcome", "device_id", "hint")[0] == (
        "not_processed",
        "a1",
        "Send this row again.",
    )


def test_ids_are_shown_as_they_were_imported(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["k1"], kit="kit-7", codes=True)
    show_in_capitals(runtime)
    batch = claim(runtime, sender, b"identifier\nkit-7\nk1\n")
    assert told(runtime, sender, batch, "device_id", "kit_id", "serial_number") == [("K1", "KIT-7", "SN-K1")] * 2


def test_json_rows_have_no_line(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["s1"], codes=True)
    body = {"device_ids": ["nope"], "devices": [{"serial_number": "sn-s1", "claim_code": "code-s1"}]}
    batch = claim(runtime, sender, json.dumps(body).encode(), source="json")
    assert told(runtime, sender, batch, "row", "line", "input", "outcome") == [
        (1, None, {"device_id": "nope"}, "not_found"),
        (2, None, {"serial_number": "sn-s1", "claim_code": "***"}, "claimed"),
    ]


def test_pages_of_a_long_json_list_find_their_rows(runtime: Runtime, sender: Sender) -> None:
    body = json.dumps({"device_ids": [f"x{number}" for number in range(1, 2501)]})
    batch = claim(runtime, sender, body.encode(), source="json")
    found = all_items(runtime, sender, batch, limit=700)
    assert [(item["row"], item["input"]["device_id"]) for item in found] == [
        (number, f"x{number}") for number in range(1, 2501)
    ]


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("outcome", [None, Outcome.CLAIMED, Outcome.NOT_FOUND, Outcome.NOT_CLAIMABLE])
def test_pages_follow_each_other_without_gap_or_overlap(
    runtime: Runtime, sender: Sender, outcome: Outcome | None, limit: int
) -> None:
    add_devices(runtime, [f"k{number}" for number in range(9)], kit="kit-7")
    rows = [f"k{number}" for number in range(5)] + ["kit-7"] + [f"x{number}" for number in range(10)]
    batch = claim(runtime, sender, ("identifier\n" + "\n".join(rows)).encode())
    everything = [item for item in items(runtime, sender, batch, limit=1000) if outcome in (None, item["outcome"])]
    page = results_page(runtime, sender.principal, batch["id"], outcome, limit)
    assert page["items"] == everything[:limit]
    assert (page["next_cursor"] is None) == (len(everything) <= limit)
    assert all_items(runtime, sender, batch, outcome=outcome, limit=limit) == everything


def test_rows_of_a_page_may_be_far_apart(runtime: Runtime, sender: Sender) -> None:
    rows = [f"1{number:060}" for number in range(30_000)]
    for number in (0, 14_999, 29_999):
        rows[number] = "not an identifier"
    batch = claim(runtime, sender, ("device_id\n" + "\n".join(rows)).encode())
    found = items(runtime, sender, batch, outcome=Outcome.INVALID_IDENTIFIER)
    assert [(item["row"], item["line"]) for item in found] == [(1, 2), (15_000, 15_001), (30_000, 30_001)]
    assert {item["input"]["device_id"] for item in found} == {"not an identifier"}


@pytest.mark.parametrize(("limit", "cursor"), [(0, None), (1001, None), (-1, None), (1, "x"), (1, "WzFd")])
def test_a_bad_limit_or_cursor_is_refused(runtime: Runtime, sender: Sender, limit: int, cursor: str | None) -> None:
    batch = claim(runtime, sender, b"a1\n")
    with pytest.raises(Invalid):
        results_page(runtime, sender.principal, batch["id"], None, limit, cursor)


def test_results_are_for_those_who_see_the_project(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\n")
    stranger = new_sender(runtime, "Stranger")
    sibling = new_sender(runtime, "South", sender.principal.organization_id)
    for principal in (stranger.principal, viewer_of(runtime, sibling)):
        with pytest.raises(NotFound):
            results_page(runtime, principal, batch["id"])
    assert results_page(runtime, viewer_of(runtime, sender), batch["id"])["items"]


def test_results_are_not_ready_before_the_batch_has_ended(runtime: Runtime, sender: Sender) -> None:
    batch_id = send(runtime, sender, b"a1\n")
    with pytest.raises(ResultsNotReady):
        results_page(runtime, sender.principal, batch_id)


def test_an_input_that_could_not_be_used_has_no_results(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"PK\x03\x04 xl/workbook")
    assert batch["state"] == "rejected"
    assert results_page(runtime, sender.principal, batch["id"]) == {"items": [], "next_cursor": None}
