"""Every outcome of the contract, from bytes to the result table."""

import json

import pytest

from tests.claims import Sender, add_devices, claim, holders, new_sender, outcomes
from worker.runtime import Runtime
from worker.settings import Settings


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    return new_sender(runtime, "north")


def test_a_csv_of_device_ids_becomes_claims(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1", "a2", "a3"])
    batch = claim(runtime, sender, b"device_id\nA1\na2\nnope\n")
    assert batch["state"] == "completed"
    assert batch["totals"] == {"claimed": 2, "not_found": 1}
    assert (batch["rows_total"], batch["rows_done"]) == (3, 3)
    assert outcomes(runtime, batch["id"]) == [(1, "a1", "claimed"), (2, "a2", "claimed"), (3, None, "not_found")]
    assert set(holders(runtime)) == {"a1", "a2"}


def test_a_kit_row_gives_one_result_for_each_device_in_order_of_device_id(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["k3", "k1", "k2"], kit="kit-7")
    add_devices(runtime, ["z1"])
    batch = claim(runtime, sender, b"identifier\nz1\nKIT-7\nk2\n")
    assert outcomes(runtime, batch["id"]) == [
        (1, "z1", "claimed"),
        (2, "k1", "claimed"),
        (2, "k2", "claimed"),
        (2, "k3", "claimed"),
        (3, "k2", "duplicate"),
    ]


def test_of_duplicates_the_first_row_wins_even_if_it_fails(runtime: Runtime, sender: Sender) -> None:
    other = new_sender(runtime, "south")
    add_devices(runtime, ["a1"])
    claim(runtime, other, b"a1\n")
    batch = claim(runtime, sender, b"a1\na1\n")
    assert [row[2] for row in outcomes(runtime, batch["id"])] == ["already_claimed", "duplicate"]


def test_the_same_request_again_is_harmless(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["a1", "a2"])
    claim(runtime, sender, b"a1\na2\n")
    again = claim(runtime, sender, b"a1\na2\n")
    assert again["totals"] == {"already_yours": 2}


def test_a_device_without_subscription_is_not_claimable_unless_it_is_held(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["free"], months=0)
    assert claim(runtime, sender, b"free\n")["totals"] == {"not_claimable": 1}


def test_serial_number_and_code_open_a_device_once(runtime: Runtime, sender: Sender) -> None:
    stranger = new_sender(runtime, "stranger")
    add_devices(runtime, ["a1", "a2"], codes=True)
    body = b"serial_number,claim_code\nSN-A1,code-a1\nsn-a2,wrong\n"
    assert claim(runtime, sender, body)["totals"] == {"claimed": 1, "not_found": 1}
    assert claim(runtime, stranger, body)["totals"] == {"not_found": 2}
    assert claim(runtime, sender, b"serial_number,claim_code\nsn-a1,whatever\n")["totals"] == {"already_yours": 1}


def test_json_rows_are_numbered_through_its_lists(runtime: Runtime, sender: Sender) -> None:
    add_devices(runtime, ["d1"])
    add_devices(runtime, ["k1", "k2"], kit="kit-1")
    add_devices(runtime, ["s1"], codes=True)
    body = {
        "devices": [{"serial_number": "sn-s1", "claim_code": "code-s1"}],
        "device_ids": ["d1", "k2"],
        "kit_ids": ["kit-1"],
    }
    batch = claim(runtime, sender, json.dumps(body).encode(), source="json")
    assert outcomes(runtime, batch["id"]) == [
        (1, "k1", "claimed"),
        (1, "k2", "claimed"),
        (2, "d1", "claimed"),
        (3, "k2", "duplicate"),
        (4, "s1", "claimed"),
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [(b"", "empty"), (b"device_id\n", "empty"), (b"PK\x03\x04\x14\x00", "not-csv"), (b"a,b\n1,2\n", "no-known-column")],
)
def test_an_unusable_input_is_rejected_with_its_problem(
    runtime: Runtime, sender: Sender, body: bytes, problem: str
) -> None:
    batch = claim(runtime, sender, body)
    assert batch["state"] == "rejected"
    assert batch["problem"]["type"] == problem
    assert batch["totals"] == {}


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 100])
def test_chunks_change_nothing(runtime: Runtime, settings: Settings, sender: Sender, chunk_size: int) -> None:
    small = Runtime(
        settings.model_copy(update={"chunk_size": chunk_size}), runtime.engine, runtime.keys, runtime.doorbell
    )
    add_devices(runtime, ["a1", "a2", "a3", "a4"])
    add_devices(runtime, ["k1", "k2", "k3"], kit="kit-1")
    batch = claim(small, sender, b"a4\nnope\nkit-1\na1\na4\n1.2E+9\nk2\na2\n")
    assert outcomes(runtime, batch["id"]) == [
        (1, "a4", "claimed"),
        (2, None, "not_found"),
        (3, "k1", "claimed"),
        (3, "k2", "claimed"),
        (3, "k3", "claimed"),
        (4, "a1", "claimed"),
        (5, "a4", "duplicate"),
        (6, None, "invalid_identifier"),
        (7, "k2", "duplicate"),
        (8, "a2", "claimed"),
    ]
