"""Identifiers that a spreadsheet has turned into numbers, in files as spreadsheets write them."""

import pytest

from tests.unit.intake.reading import named, read
from worker.intake import hint_for_reason
from worker.states import Reason

MANGLED = "mangled_by_spreadsheet"


@pytest.mark.parametrize(
    "data",
    [
        b"device_id\n1.23E+19\nAB-1\n",
        b"device_id\n1,23E+19\nAB-1\n",
        b"device_id\n1,23e19\nAB-1\n",
        b'device_id\n"1,23E+19"\nAB-1\n',
        b"device_id,note\n1.23E+19,x\nAB-1,y\n",
        b"device_id,note\n1,23E+19,x\nAB-1,y\n",
        b"device_id,note\n1,23E19,x\nAB-1,y\n",
        b"device_id,note\n1,23E+19\nAB-1,y\n",
        b'device_id,note\n"1,23E+19",x\nAB-1,y\n',
        b"device_id;note\n1,23E+19;1,5\nAB-1;y\n",
        b"device_id\tnote\n 1,23E+19 \tx\nAB-1\ty\n",
        b"note,kit_id\nx,1,23E+19\ny,AB-1\n",
        b"identifier\n1,23E+19\nAB-1\n",
        b"1,23E+19\nAB-1\n",
        b"1,23E+19,\nAB-1,\n",
    ],
)
def test_a_mangled_number_is_found_however_the_file_is_cut(data: bytes) -> None:
    assert named(data) == [MANGLED, "ab-1"]


def test_a_number_cut_in_two_is_given_back_as_typed() -> None:
    rows = read(b"serial_number,claim_code,note\n1,23E+19,SECRET,x\n")
    assert rows[0].input == {"serial_number": "1,23E+19", "claim_code": "***", "note": "x"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"device_id,kit_id\n7,23e45\n", "7"),
        (b"device_id,note\n7,1.5E+3\n", "7"),
        (b"device_id\n12345678e1234567\n", "12345678e1234567"),
        (b"device_id\n1e19\n", "1e19"),
        (b"device_id,note\n1234,5E+19\n", "1234"),
    ],
)
def test_what_could_be_an_identifier_is_not_taken_for_half_a_number(data: bytes, expected: str) -> None:
    assert named(data) == [expected]


def test_a_mangled_claim_code_is_found_too() -> None:
    assert named(b"serial_number,claim_code\nS-1,1.2E+11\n") == [MANGLED]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_hint(reason: Reason) -> None:
    assert hint_for_reason(reason).endswith(".")


def test_the_hint_for_a_mangled_number_says_how_to_export_text() -> None:
    assert "column as text" in hint_for_reason(Reason.MANGLED_BY_SPREADSHEET)
