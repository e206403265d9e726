"""Which cell counts, and what may stand in it."""

import pytest

from tests.unit.intake.reading import read
from worker.intake import normalise, normalise_code
from worker.states import Reason


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("AB-1", "ab-1"),
        ("a.b_c:d-E", "a.b_c:d-e"),
        ("  AB-1\t", "ab-1"),
        ("\u00a0\u2003AB-1\u3000", "ab-1"),
        ("\ufeffAB\u200b-\u200d1\u2060", "ab-1"),
        ("\u202aAB-1\u202c", "ab-1"),
        (' "AB-1"', "ab-1"),
        ("x" * 64, "x" * 64),
        ("12345678e1234567", "12345678e1234567"),
        ("1e19", "1e19"),
        ("x" * 65, Reason.TOO_LONG),
        ("", Reason.EMPTY),
        (" \u200b ", Reason.EMPTY),
        ("AB 1", Reason.BAD_CHARACTER),
        ("AB\x001", Reason.BAD_CHARACTER),
        ("ÄB", Reason.BAD_CHARACTER),
        ("\u212aB", Reason.BAD_CHARACTER),  # the Kelvin sign, whose lower case is an ASCII k
        ("١٢٣", Reason.BAD_CHARACTER),
        ("\\N", Reason.BAD_CHARACTER),
        ("\\.", Reason.BAD_CHARACTER),
        ("AB-1\n", "ab-1"),
        ("1.23E+19", Reason.MANGLED_BY_SPREADSHEET),
        ("1,23E+19", Reason.MANGLED_BY_SPREADSHEET),
        ("1.23e+19", Reason.MANGLED_BY_SPREADSHEET),
        ("1.23E19", Reason.MANGLED_BY_SPREADSHEET),
        ("1,23E19", Reason.MANGLED_BY_SPREADSHEET),
        (" 1E+19 ", Reason.MANGLED_BY_SPREADSHEET),
        ("-1.23E+19", Reason.MANGLED_BY_SPREADSHEET),
        ("1.23e4", Reason.MANGLED_BY_SPREADSHEET),
        ("1.23E-07", Reason.MANGLED_BY_SPREADSHEET),
        ("AB1.23E+19", Reason.BAD_CHARACTER),
    ],
)
def test_an_identifier_is_normalised_or_refused(typed: str, expected: str | Reason) -> None:
    assert normalise(typed) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (" Ab+c/1 ", "Ab+c/1"),
        ("", Reason.EMPTY),
        ("***", Reason.MASKED_CODE),
        (" *** ", Reason.MASKED_CODE),
        ("1.23E+05", Reason.MANGLED_BY_SPREADSHEET),
        ("a\x00b", Reason.BAD_CHARACTER),
        ("x" * 129, Reason.TOO_LONG),
    ],
)
def test_a_code_is_trimmed_and_otherwise_left_alone(typed: str, expected: str | Reason) -> None:
    assert normalise_code(typed) == expected


HEADER = "device_id,serial_number,claim_code,kit_id,identifier\n"


@pytest.mark.parametrize(
    ("record", "kind", "name", "code"),
    [
        ("D,S,C,K,I", "DEVICE", "d", None),
        (" ,S,C,K,I", "PAIR", "s", "C"),
        (",S,C,,", "PAIR", "s", "C"),
        (",S,,K,I", "KIT", "k", None),
        (",,C,K,I", "KIT", "k", None),
        (",,,K,I", "KIT", "k", None),
        (",,,,I", "ANY", "i", None),
        (",,,\u200b,I", "ANY", "i", None),
        ("not one,S,C,K,I", "INVALID", "bad_character", None),
        (",not one,C,K,I", "INVALID", "bad_character", None),
        (",S,***,K,I", "INVALID", "masked_code", None),
        (",S,,,", "INVALID", "missing_code", None),
        (",,C,,", "INVALID", "missing_serial_number", None),
        (",,C", "INVALID", "missing_serial_number", None),
        (",,,,,note", "INVALID", "empty", None),
    ],
)
def test_the_first_filled_cell_counts(record: str, kind: str, name: str, code: str | None) -> None:
    rows = read((HEADER + "first,,,,\n" + record + "\n" + "D2\n").encode())
    assert [row.named for row in rows] == ["first", name, "d2"]
    assert (rows[1].kind, rows[1].code) == (kind, code)


@pytest.mark.parametrize("column", ["device_id", "kit_id", "identifier"])
def test_one_bad_cell_does_not_harm_its_neighbours(column: str) -> None:
    cells = ["Good-1", "bad one", " Good-2 ", "x" * 65, "1.5E+10", "GOOD-3"]
    rows = read(f"note,{column}\n".encode() + "".join(f"n,{cell}\n" for cell in cells).encode())
    expected = ["good-1", "bad_character", "good-2", "too_long", "mangled_by_spreadsheet", "good-3"]
    assert [row.named for row in rows] == expected


def test_a_mangled_number_that_could_be_an_identifier_is_found_among_plain_ones() -> None:
    rows = read(b"device_id\nAB-1\n1.23e4\nAB.2\n")
    assert [row.named for row in rows] == ["ab-1", "mangled_by_spreadsheet", "ab.2"]


@pytest.mark.parametrize("code", ["C0DE", " C0DE "])
def test_codes_are_masked_and_empty_ones_stay_empty(code: str) -> None:
    rows = read(f"serial_number,claim_code\nS1,{code}\nS2,\nS3,***\n".encode())
    assert [row.input["claim_code"] for row in rows] == ["***", "", "***"]
    assert rows[0].code == "C0DE"
