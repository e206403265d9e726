"""A report that comes back as an input, perhaps mended in a spreadsheet."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.intake.reading import dialect_of, groups_of, named, read
from worker.intake import REPORT_COLUMNS, escape_formula, masked_cells, masked_records, unescape_formula

REPORT = "row,line,outcome,device_id,detail,hint"


@pytest.mark.parametrize("cell", ["=1+1", "+49 30", "-1", "@x", "\tx", "\rx", "'=x", "''+x", "\uff1dx"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    assert escape_formula(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "x", "'", "''", "'x", "x=1", " =1", "O'Brien"])
def test_other_cells_are_left_alone(cell: str) -> None:
    assert escape_formula(cell) == cell == unescape_formula(cell)


@given(st.text(alphabet="'=+-@\t\rax ", max_size=8))
def test_taking_the_apostrophe_off_undoes_putting_it_on(cell: str) -> None:
    assert unescape_formula(escape_formula(cell)) == cell


def test_intake_takes_the_apostrophe_off() -> None:
    (row,) = read(b"device_id,note,more\n'-AB,'=1+1,'x\n")
    assert (row.named, row.input) == ("-ab", {"device_id": "-AB", "note": "=1+1", "more": "'x"})


def test_the_columns_of_a_report_are_dropped() -> None:
    rows = read(f"device_id,note,{REPORT}\r\nAB-1,x,7,8,not_found,ZZ,detail,hint\r\nAB-2,y\r\n".encode())
    assert [row.named for row in rows] == ["ab-1", "ab-2"]
    assert rows[0].input == {"device_id": "AB-1", "note": "x"}
    assert rows[1].input == {"device_id": "AB-2", "note": "y"}


def test_a_record_whose_own_cells_were_cleared_is_blank() -> None:
    assert named(f"device_id,{REPORT}\nAB-1,1,2,not_found,,,\n,2,3,not_found,,,\n".encode()) == ["ab-1"]


@pytest.mark.parametrize("header", [f"device_id,{REPORT},,", f"device_id, {REPORT}", f"\ufeffdevice_id,{REPORT}"])
def test_padding_does_not_hide_a_report(header: str) -> None:
    assert dialect_of(f"{header}\nAB-1\n".encode()).names == ("device_id",)


@pytest.mark.parametrize(
    "header", ["note,device_id,row,line,outcome,detail,hint", f"note,{REPORT.upper()}", f"note,{REPORT},more"]
)
def test_only_exactly_these_six_are_dropped(header: str) -> None:
    dialect = dialect_of(f"{header}\nA,B\n".encode())
    assert not dialect.from_report
    assert len(dialect.names) == len(header.split(","))


def test_the_six_alone_are_read_as_columns() -> None:
    assert named(f"{REPORT}\n1,2,not_found,AB-1,,\n".encode()) == ["ab-1"]


def test_the_report_of_a_headerless_file_can_be_sent_again() -> None:
    assert named(f"identifier,{REPORT}\nAB-1,1,1,not_found,,,\n".encode()) == ["ab-1"]


CELLS = st.text(alphabet="'=+-@ab1;\"\t\n", max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_a_report_gives_back_the_cells_it_was_made_of(cells: list[tuple[str, str]], delimiter: str) -> None:
    records = [["AB-1", *pair] for pair in cells]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["device_id", "first", "second", *REPORT_COLUMNS])
    for number, record in enumerate(records, start=1):
        writer.writerow([*map(escape_formula, record), number, number + 1, "not_found", "", "=detail", ""])
    groups = groups_of(text.getvalue().encode("utf-8-sig"))
    assert [record for group in groups for record in group.records] == records


def test_a_masked_code_comes_back_as_such() -> None:
    assert named(f"serial_number,claim_code,{REPORT}\nS-1,***,1,2,not_found,,,\n".encode()) == ["masked_code"]


def test_records_are_masked_one_by_one_or_all_together() -> None:
    data = b"serial_number,claim_code,note\nS-1,C1,x\nS-2\nS-3,C3,claim_code=C4,more\n"
    dialect, (group,) = dialect_of(data), groups_of(data)
    expected = [["S-1", "***", "x"], ["S-2", "", ""], ["S-3", "***", "claim_code=***", "more"]]
    assert masked_records(dialect, group.records) == expected
    assert [masked_cells(dialect, record) for record in group.records] == expected


@pytest.mark.parametrize("record", [["AB-1"], ["AB-1", "x"], ["AB-1", "claim_code=C"], ["AB-1", "x", "y"]])
def test_masking_many_is_masking_each(record: list[str]) -> None:
    dialect = dialect_of(b"device_id,note\nA\n")
    records = [["AB-0", "x"], record]
    assert masked_records(dialect, records) == [masked_cells(dialect, each) for each in records]
