"""The data records of an input, group by group, from its beginning or from any checkpoint."""

from collections.abc import Iterator, Sequence

from worker.intake.columns import REPORT_COLUMNS
from worker.intake.dialect import Checkpoint, Dialect, Group, Limits
from worker.intake.formulas import unescape_records
from worker.intake.json_source import read_json_groups
from worker.intake.lines import PhysicalLines
from worker.intake.numbers import joined_numbers, may_have_cut_numbers
from worker.intake.problems import empty, too_many_columns, too_many_rows
from worker.intake.records import Batch, RecordReader
from worker.intake.text import clean

_ROWS_END = 2**31
_MAX_DIGITS = len(str(_ROWS_END))


def read_groups(
    blocks: Iterator[bytes], dialect: Dialect, limits: Limits, start: Checkpoint | None = None
) -> Iterator[Group]:
    """The groups from `start` on; raises InputRejected where the input breaks a limit.

    `blocks` begin at byte `start.offset` of the input. Without `start` they are the whole input.
    """
    if start is None:
        start, blocks = dialect.start, without_bytes(blocks, dialect.start.offset)
    read = read_json_groups if dialect.source == "json" else _read_csv_groups
    row = start.row
    for group in read(blocks, dialect, limits, start):
        row = group.first_row + len(group.records)
        yield group
    if row == 1:
        raise empty()


def without_bytes(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The blocks after their first `count` bytes."""
    for block in blocks:
        yield block[count:]
        count = max(0, count - len(block))


def _read_csv_groups(blocks: Iterator[bytes], dialect: Dialect, limits: Limits, start: Checkpoint) -> Iterator[Group]:
    lines = PhysicalLines(blocks, dialect.encoding, limits.record_chars, start.line)
    for batch in RecordReader(lines, dialect.delimiter, limits).batches():
        group = _group(batch, dialect, limits, start)
        if group.records:
            yield group
        row = start.row + len(group.records)
        start = Checkpoint(row, start.offset + size(batch.text, dialect.encoding), batch.next_line)


def size(text: str, encoding: str) -> int:
    """How many bytes `text` has in the input."""
    if encoding == "cp1252":
        return len(text)
    if text.isascii():
        return len(text) if encoding == "utf-8" else 2 * len(text)
    return len(text.encode(encoding))


def _group(batch: Batch, dialect: Dialect, limits: Limits, start: Checkpoint) -> Group:
    records = _as_typed(batch, dialect, limits)
    blank = _blank(records)
    starts: Sequence[int] = batch.starts
    report_rows = _report_rows(batch.records, len(dialect.names)) if dialect.from_report else []
    if blank:
        records = [record for index, record in enumerate(records) if index not in blank]
        starts = [line for index, line in enumerate(starts) if index not in blank]
        report_rows = [row for index, row in enumerate(report_rows) if index not in blank]
    if start.row + len(records) - 1 > limits.rows:
        raise too_many_rows(starts[limits.rows - start.row + 1], limits.rows)
    return Group(start, records, starts, report_rows)


def _as_typed(batch: Batch, dialect: Dialect, limits: Limits) -> list[list[str]]:
    """The records without what spreadsheets and reports have done to them."""
    records, width = batch.records, len(dialect.names)
    longest = max(map(len, records), default=0)
    if longest > limits.columns:
        index = next(index for index, record in enumerate(records) if len(record) > limits.columns)
        raise too_many_columns(batch.starts[index], limits.columns)
    if dialect.from_report:
        records = [[*record[:width], *record[width + len(REPORT_COLUMNS) :]] for record in records]
    if "'" in batch.text:
        records = unescape_records(records)
    if dialect.delimiter == "," and may_have_cut_numbers(batch.text, too_long=longest > width):
        records = [joined_numbers(record, ",", width) for record in records]
    return records


def _report_rows(records: list[list[str]], column: int) -> list[int]:
    try:
        rows = [int(record[column]) for record in records]
    except (IndexError, ValueError):
        cells = [record[column].strip() if column < len(record) else "" for record in records]
        rows = [int(cell) if cell.isdecimal() and len(cell) <= _MAX_DIGITS else 0 for cell in cells]
    return [row if 0 < row < _ROWS_END else 0 for row in rows]


def _blank(records: list[list[str]]) -> set[int]:
    """Which records have no filled cell; most show by their first character that they have one."""
    suspects = [index for index, record in enumerate(records) if not (record and "!" <= record[0] < "\x7f")]
    return {index for index in suspects if not any(map(clean, records[index]))}
