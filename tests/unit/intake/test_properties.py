"""What holds for every table, however it is written down."""

import io
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.intake.reading import blocks_of, dialect_of, groups_of
from worker.intake import Dialect, Group, Limits, input_of, read_groups, references, unescape_formula

CHARACTERS = "ab1'\",;\t\n\r \x00\x0b\x0c\x1c\x85\xa0é€\u2028"
CELL = st.text(alphabet=CHARACTERS, max_size=5)
TABLE = st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=12)
ENCODING = st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
BLOCK = st.integers(1, 40)


@st.composite
def written(draw: st.DrawFn) -> tuple[list[list[str]], bytes]:
    """A table under the header device_id, note, more; and one way to write it."""
    rows = [["AB-1", *cells] for cells in draw(TABLE)]
    encoding = draw(ENCODING)
    if encoding == "cp1252":
        rows = [["".join(c for c in cell if c not in "\x85\u2028") for cell in row] for row in rows]
    delimiter, end = draw(st.sampled_from(",;\t")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = delimiter.join(["device_id", "note", "more"])
    for row in rows:
        text += end + delimiter.join(quoted(cell, always=draw(st.booleans())) for cell in row)
        text += draw(st.sampled_from(["", "", "\n", "\r\n  "]))
    return rows, (text + draw(st.sampled_from(["", end]))).encode(encoding)


def quoted(cell: str, *, always: bool) -> str:
    """The csv module of Python 3.11 leaves a carriage return unquoted if lines do not end in one."""
    needed = always or any(character in cell for character in ',;\t"\r\n')
    return '"' + cell.replace('"', '""') + '"' if needed else cell


def lines_of(groups: list[Group]) -> list[int]:
    return [line for group in groups for line in group.lines]


@given(written(), BLOCK)
def test_every_table_is_read_as_it_was_written(table: tuple[list[list[str]], bytes], block: int) -> None:
    rows, data = table
    groups = groups_of(data, block=block)
    typed = [list(map(unescape_formula, row)) for row in rows]
    assert [record for group in groups for record in group.records] == typed
    dialect = dialect_of(data)
    assert [input_of(dialect, row)["note"] for row in rows] == [row[1] for row in rows]


@given(written(), BLOCK)
def test_lines_are_where_the_records_start(table: tuple[list[list[str]], bytes], block: int) -> None:
    rows, data = table
    dialect, groups = dialect_of(data), groups_of(data, block=block)
    encoding = dialect.encoding.replace("cp1252", "latin-1")
    physical = list(io.StringIO(data.decode(encoding, errors="replace"), newline=""))
    assert all("AB-1" in physical[line - 1] for line in lines_of(groups))
    assert len(lines_of(groups)) == len(rows)


@st.composite
def long_file(draw: st.DrawFn) -> bytes:
    """Some thousand lines: plain ones, blank ones, and records of several lines here and there."""
    shapes = st.sampled_from(["AB-%d,x\n", "\r\n", 'AB-%d,"a\nb"\r', "AB-%d,é€\r\n", 'AB-%d,"x"\n', " , \n"])
    parts = draw(st.lists(st.tuples(shapes, st.integers(1, 1500)), min_size=1, max_size=5))
    lines = ["device_id,note\n"]
    for shape, count in parts:
        lines += [shape % n if "%" in shape else shape for n in range(count)]
    return "".join([*lines, "AB-0,end"]).encode(draw(st.sampled_from(["utf-8-sig", "cp1252", "utf-16"])))


@settings(max_examples=40)
@given(long_file(), st.integers(1, 5000))
def test_the_groups_are_the_same_whatever_the_size_of_the_blocks(data: bytes, block: int) -> None:
    dialect = dialect_of(data)
    assert groups_of(data, dialect, block) == groups_of(data, dialect)


@settings(max_examples=40)
@given(long_file(), BLOCK)
def test_reading_from_a_checkpoint_is_reading_from_the_start(data: bytes, block: int) -> None:
    dialect = dialect_of(data)
    groups = groups_of(data, dialect)
    assert [group.first_row for group in groups] == [
        1 + before for before in itertools.accumulate((len(g.records) for g in groups[:-1]), initial=0)
    ]
    for index, group in enumerate(groups):
        rest = blocks_of(data[group.start.offset :], block * 1000)
        assert list(read_groups(rest, dialect, Limits(), group.start)) == groups[index:]


@given(written())
def test_a_dialect_survives_being_stored(table: tuple[list[list[str]], bytes]) -> None:
    dialect = dialect_of(table[1])
    assert Dialect.from_json(dialect.to_json()) == dialect


@given(st.lists(st.lists(st.text(max_size=8), max_size=6), min_size=1, max_size=30))
def test_each_record_is_judged_alone(records: list[list[str]]) -> None:
    dialect = dialect_of(b"device_id,serial_number,claim_code,kit_id,identifier\n,,,,x\n")
    together = references(dialect, Group(dialect.start, records, range(len(records))))
    for index, record in enumerate(records):
        alone = references(dialect, Group(dialect.start, [record], [1]))
        assert alone.kinds[0] == together.kinds[index]
        assert alone.identifiers[0] == together.identifiers[index]
        assert alone.codes.get(0) == together.codes.get(index)
        assert alone.reasons.get(0) == together.reasons.get(index)
