"""The column activate_on: found by its name, read as a day, and of no influence on anything else."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.intake.reading import dialect_of, groups_of, read, rejection
from tests.unit.intake.test_properties import TABLE, quoted
from worker.intake import BAD_DAY, NO_DAY, activation_days, day_number


def days_of(data: bytes) -> list[int] | None:
    """The days of all rows."""
    dialect = dialect_of(data)
    found = [activation_days(dialect, group) for group in groups_of(data)]
    return None if None in found else [day for days in found for day in days or ()]


@pytest.mark.parametrize("header", ["activate_on", "Activate On", "ACTIVATE-ON", " activateOn ", '"activate on"'])
def test_the_column_is_known_however_it_is_spelled(header: str) -> None:
    assert days_of(f"{header},device_id\n2027-01-31,A\n".encode()) == [day_number(date(2027, 1, 31))]


@pytest.mark.parametrize(
    "cell",
    [
        "2027-01-31",
        " 2027-01-31\u00a0",
        "\u200b2027-01-31",
        ' "2027-01-31"',
        "2027-01-31T00:00:00",
        "2027-01-31 00:00:00",
        "2027-01-31 00:00",
        "2027-01-31T00:00:00.000",
    ],
)
def test_a_day_is_read_also_as_its_midnight(cell: str) -> None:
    assert days_of(f"device_id\tactivate_on\nA\t{cell}\n".encode()) == [day_number(date(2027, 1, 31))]


@pytest.mark.parametrize(
    "cell",
    [
        "31.01.2027",
        "1/31/2027",
        "2027-1-31",
        "20270131",
        "2027-02-29",
        "2027-13-01",
        "0000-01-01",
        "1970-01-01",
        "2027-01-31T08:00:00",
        "2027-01-31T00:00:01",
        "2027-01-31T00:00:00Z",
        "2027-W04-7",
        "46053",
        "soon",
        "٢٠٢٧-٠١-٣١",  # noqa: RUF001  # digits, but not those of ISO 8601
        "-",
        "x" * 10_000,
    ],
)
def test_what_is_no_day_is_told_from_none(cell: str) -> None:
    found = days_of(f"device_id,activate_on\nA,{cell}\nB,\nC\n".encode())
    assert found is not None
    assert found[0] <= day_number(date(1970, 1, 1))
    assert found == [BAD_DAY, NO_DAY, NO_DAY]


def test_it_names_no_device() -> None:
    assert rejection(b"activate_on,note\n2027-01-31,x\n").problem_type == "no-known-column"
    dialect = dialect_of(b"activate_on\n2027-01-31\n")
    assert (dialect.headerless, dialect.names, dialect.day_column) == (True, ("identifier",), None)
    (row,) = read(b"device_id,activate_on\n,2027-01-31\n")
    assert (row.kind, row.named) == ("INVALID", "empty")


def test_which_of_two_would_count_is_not_guessed() -> None:
    rejected = rejection(b"device_id,activate_on,Activate On\nA,2027-01-31,2027-02-28\n")
    assert (rejected.problem_type, rejected.line) == ("repeated-column", 1)
    assert "activate_on" in rejected.detail


def test_an_input_without_it_has_no_days() -> None:
    assert days_of(b"device_id,note\nA,2027-01-31\n") is None
    assert days_of(b"2027-01-31\n") is None


def test_a_report_that_comes_back_tells_its_rows() -> None:
    header = "device_id,activate_on,row,line,outcome,device_id,detail,hint"
    data = f"{header}\nA,2027-01-31,7,8,not_found,,,\n,,8,9,,,,\nB,, 12 ,9\nC\nD,,x,1\n".encode()
    (group,) = groups_of(data)
    assert [record[0] for record in group.records] == ["A", "B", "C", "D"]
    assert list(group.report_rows) == [7, 12, 0, 0]
    assert days_of(data) == [day_number(date(2027, 1, 31)), NO_DAY, NO_DAY, NO_DAY]


@given(TABLE, st.sampled_from(",;\t"), st.sampled_from(["device_id", "identifier", "kit_id"]))
def test_a_file_is_read_alike_with_the_column_and_without(table: list[list[str]], delimiter: str, known: str) -> None:
    def written(name: str) -> bytes:
        rows = [[known, name, "note"], *(["AB-1", *cells] for cells in table)]
        lines = [delimiter.join(quoted(cell, always=True) for cell in row) for row in rows]
        return "\n".join(lines).encode()

    assert told(written("activate_on")) == told(written("activate_by"))
    assert dialect_of(written("activate_by")).day_column is None


def told(data: bytes) -> list[tuple[object, ...]]:
    """All that is told of the rows but the names of their columns."""
    return [(row.number, row.line, row.kind, row.named, row.code, *row.input.values()) for row in read(data)]
