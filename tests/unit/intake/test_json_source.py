"""JSON bodies, whose shape the API has checked."""

import json

import pytest

from tests.unit.intake.reading import blocks_of, dialect_of, read, rejection, rows_of
from worker.intake import Checkpoint, Limits, read_groups

BODY = {
    "kit_ids": ["K-1", ""],
    "device_ids": ["D-1", "bad one", ""],
    "devices": [{"serial_number": "S-1", "claim_code": "C1"}, {"serial_number": "", "claim_code": ""}],
}


@pytest.mark.parametrize("block", [1, 131_072])
def test_entries_are_numbered_through(block: int) -> None:
    rows = read(json.dumps(BODY).encode(), "json", block=block)
    assert [(row.number, row.line, row.kind, row.named, row.code) for row in rows] == [
        (1, 0, "KIT", "k-1", None),
        (2, 0, "INVALID", "empty", None),
        (3, 0, "DEVICE", "d-1", None),
        (4, 0, "INVALID", "bad_character", None),
        (5, 0, "INVALID", "empty", None),
        (6, 0, "PAIR", "s-1", "C1"),
        (7, 0, "INVALID", "empty", None),
    ]
    assert [row.input for row in rows] == [
        {"kit_id": "K-1"},
        {"kit_id": ""},
        {"device_id": "D-1"},
        {"device_id": "bad one"},
        {"device_id": ""},
        {"serial_number": "S-1", "claim_code": "***"},
        {"serial_number": "", "claim_code": ""},
    ]


def test_lists_may_be_missing() -> None:
    assert [row.named for row in read(b'{"device_ids": ["D-1"], "kit_ids": null}', "json")] == ["d-1"]


def test_reading_begins_at_any_row() -> None:
    data = json.dumps({"kit_ids": [f"K{n}" for n in range(2500)]}).encode()
    dialect = dialect_of(data, "json")
    assert [group.first_row for group in read_groups(blocks_of(data), dialect, Limits())] == [1, 1001, 2001]
    groups = list(read_groups(blocks_of(data), dialect, Limits(), Checkpoint(2001, 0, 0)))
    assert [row.number for group in groups for row in rows_of(dialect, group)] == list(range(2001, 2501))


def test_half_of_a_surrogate_pair_can_be_stored() -> None:
    (row,) = read(b'{"device_ids": ["\\ud800x"]}', "json")
    assert (row.named, row.input) == ("bad_character", {"device_id": "\ufffdx"})


@pytest.mark.parametrize(
    ("body", "problem_type"),
    [
        (b"{}", "empty"),
        (b'{"kit_ids": [], "devices": []}', "empty"),
        (b'{"kit_ids": ["a", "b", "c"]}', "too-many-rows"),
        (b"", "not-json"),
        (b"[1]", "not-json"),
        (b'{"devices": [{"serial_number": "S"}]}', "not-json"),
        (b"[" * 100_000, "not-json"),
        (b'{"kit_ids": [1]}', "not-json"),
        (b"\xff", "not-json"),
    ],
)
def test_unusable_bodies_are_rejected(body: bytes, problem_type: str) -> None:
    assert rejection(body, "json", Limits(rows=2)).problem_type == problem_type
