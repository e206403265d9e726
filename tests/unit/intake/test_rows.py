"""Which lines are rows, and how they are numbered."""

import pytest

from tests.unit.intake.reading import groups_of, named, read, rejection
from worker.intake import Limits


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"device_id\nA\nB\n", [(1, 2, "a"), (2, 3, "b")]),
        (b"device_id\nA\nB", [(1, 2, "a"), (2, 3, "b")]),
        (b"device_id\r\nA\r\nB\r\n", [(1, 2, "a"), (2, 3, "b")]),
        (b"device_id\rA\rB\r", [(1, 2, "a"), (2, 3, "b")]),
        (b"device_id\r\nA\nB\rC", [(1, 2, "a"), (2, 3, "b"), (3, 4, "c")]),
        (b"device_id\n\n\nA\n   \n\nB\n\n", [(1, 4, "a"), (2, 7, "b")]),
        (b"\n\r\n  \ndevice_id\nA\n", [(1, 5, "a")]),
        (b'device_id,note\n,\nA,\n , \n"",\nB,x\n,,,,\n', [(1, 3, "a"), (2, 6, "b")]),
        (b'device_id,note\nA,"two\nlines"\nB,x\n', [(1, 2, "a"), (2, 4, "b")]),
        (b'device_id,note\nA,"a\r\n\r\nb"\r\nB,"c\rd"\r\nC,\r\n', [(1, 2, "a"), (2, 5, "b"), (3, 7, "c")]),
        (b'"device\nid",note\nA,x\n', [(1, 3, "a")]),
        ("device_id,note\nA,a\x0bb\x0cc\x1cd\x85e\u2028f\nB,\n".encode(), [(1, 2, "a"), (2, 3, "b")]),
        (b"sep=;\ndevice_id;note\nA;x,y\n", [(1, 3, "a")]),
        (b'\xef\xbb\xbf"sep=;"\r\n\r\ndevice_id;note\r\nA;x,y\r\n', [(1, 4, "a")]),
        (b"sep=\t\ndevice_id\tnote\nA\tx\n", [(1, 3, "a")]),
        (b"SEP=,\nA\nB\n", [(1, 2, "a"), (2, 3, "b")]),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 131_072])
def test_rows_and_lines_are_numbered(data: bytes, expected: list[tuple[int, int, str]], block: int) -> None:
    assert [(row.number, row.line, row.named) for row in read(data, block=block)] == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"device_id,note\nA\n", {"device_id": "A", "note": ""}),
        (b"device_id,note\nA,x,y,,z\n", {"device_id": "A", "note": "x", "column_3": "y", "column_5": "z"}),
        (b"device_id,note\nA,x,,,\n", {"device_id": "A", "note": "x"}),
        (b'device_id,note\nA,"x, ""y""\r\nz"\n', {"device_id": "A", "note": 'x, "y"\r\nz'}),
        (b"device_id,note\n  A ,  x  \n", {"device_id": "  A ", "note": "  x  "}),
        (b'device_id,note\nA,in"ch\n', {"device_id": "A", "note": 'in"ch'}),
        (b"device_id\nA,extra\n", {"device_id": "A", "column_2": "extra"}),
        (b"device_id,column_3\nA,x,y\n", {"device_id": "A", "column_3": "x", "column_3_2": "y"}),
    ],
)
def test_cells_are_given_back_as_typed(data: bytes, expected: dict[str, str]) -> None:
    rows = read(data)
    assert [(row.named, row.input) for row in rows] == [("a", expected)]


def test_a_quote_with_padding_before_it_does_not_harm_the_identifier() -> None:
    assert named(b'note,device_id\nx, "AB-1" \n') == ["ab-1"]


def test_groups_have_a_thousand_lines_and_say_where_they_start() -> None:
    data = b"device_id\n" + b"".join(b"D%05d\n" % n for n in range(2500))
    starts = [(group.start.row, group.start.line, group.start.offset) for group in groups_of(data)]
    assert starts == [(1, 2, 10), (1001, 1002, 7010), (2001, 2002, 14010)]


def test_a_group_of_blank_lines_is_left_out() -> None:
    groups = groups_of(b"device_id\nA\n" + b"\n" * 5000 + b"B\n")
    assert [(group.start.row, list(group.lines)) for group in groups] == [(1, [2]), (2, [5003])]


def test_a_group_of_long_lines_ends_early() -> None:
    data = b"device_id,note\n" + b"".join(b"D%05d,%s\n" % (n, b"x" * 100_000) for n in range(30))
    assert [len(group.records) for group in groups_of(data)] == [6, 6, 6, 6, 6]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'device_id,note\nA,x\nB,"never closed\nC,y\n', 3),
        (b"device_id,note\nA,x\n" + b"B,y\n" * 3000 + b'C,"z\nD', 3003),
        (b'device_id,note\nA,"' + b"x\n" * 600_000 + b'"\n', 2),
        (b'device_id,"note\nA,x\n', 1),
        (b'\n\n"', 3),
    ],
)
def test_a_quote_that_is_never_closed_is_named_by_its_line(data: bytes, line: int) -> None:
    rejected = rejection(data)
    assert (rejected.problem_type, rejected.line) == ("unbalanced-quotes", line)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"device_id\nA\n" + b"x" * 101 + b"\n", 3),
        (b"device_id\nA\n" + b"x" * 101, 3),
        (b"x" * 101, 1),
        (b"\n" * 3000 + b"device_id\n" + b"A\n" * 3000 + b"x" * 1_000_000, 6002),
    ],
)
def test_a_line_that_is_too_long_is_named(data: bytes, line: int) -> None:
    rejected = rejection(data, limits=Limits(record_chars=100))
    assert (rejected.problem_type, rejected.line) == ("record-too-large", line)


def test_the_limit_of_rows_counts_rows_and_not_lines() -> None:
    data = b"device_id\n\nA\n\nB\n"
    assert len(read(data, limits=Limits(rows=2))) == 2
    rejected = rejection(data + b"\nC\nD\n", limits=Limits(rows=2))
    assert (rejected.problem_type, rejected.line) == ("too-many-rows", 7)


def test_the_limit_of_rows_holds_in_later_groups() -> None:
    rejected = rejection(b"device_id\n" + b"A\n" * 3000, limits=Limits(rows=2500))
    assert (rejected.problem_type, rejected.line) == ("too-many-rows", 2502)


@pytest.mark.parametrize(("data", "line"), [(b"," * 20_000, 1), (b"device_id\nA\nB" + b",x" * 20_000, 3)])
def test_twenty_thousand_columns_are_too_many(data: bytes, line: int) -> None:
    rejected = rejection(b"device_id" + data if line == 1 else data)
    assert (rejected.problem_type, rejected.line) == ("too-many-columns", line)
