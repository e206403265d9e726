"""The stored input beside the results: records of the rows that are told of."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection

from worker.errors import InputPruned
from worker.inputs import BLOCK_BYTES, BLOCKS_AT_ONCE, read_input
from worker.intake import Checkpoint, Dialect, Group, Limits, read_groups
from worker.queries import results
from worker.reports.access import ReadBatch
from worker.runtime import Runtime

# What was accepted once is read again, also after a limit was lowered.
UNLIMITED: Final = Limits(rows=2**31)
# Reading on is cheaper than beginning anew within what one look at the stored input fetches.
NEAR: Final = BLOCK_BYTES * BLOCKS_AT_ONCE
BEGINNING: Final = (0, 0)  # row and position that all results are behind

T = TypeVar("T")


@dataclass(frozen=True)
class Piece:
    """Results whose rows are in one group: `start` to `stop` of a window."""

    group: Group
    start: int
    stop: int


@dataclass(frozen=True)
class _Stretch:
    """A part of the input to be read without a break: from `start` to the group at byte `end`."""

    start: Checkpoint
    end: int
    last_row: int


def required_dialect(batch: ReadBatch) -> Dialect:
    """The dialect of a batch that has results."""
    assert batch.dialect is not None, batch.key  # noqa: S101  # what could not be read has no results
    return batch.dialect


def read_all(runtime: Runtime, batch: ReadBatch) -> Iterator[Group]:
    """The whole input, group by group; a generator, because where there are no results there may be no dialect."""
    yield from read_groups(stored_input(runtime, batch), required_dialect(batch), UNLIMITED)


def read_some(runtime: Runtime, connection: Connection, batch: ReadBatch, rows: Sequence[int]) -> Iterator[Group]:
    """The groups that hold `rows` (ascending), and perhaps some between them."""
    for stretch in _stretches(connection, batch, rows):
        blocks = stored_input(runtime, batch, stretch.start.offset, connection)
        for group in read_groups(blocks, required_dialect(batch), UNLIMITED, stretch.start):
            yield group
            if last_row(group) >= stretch.last_row:
                break


def stored_input(
    runtime: Runtime, batch: ReadBatch, offset: int = 0, connection: Connection | None = None
) -> Iterator[bytes]:
    """The input from byte `offset` on.

    Raises:
        InputPruned: it is no longer kept, perhaps since this has begun.
    """
    end = offset
    for block in read_input(runtime, batch.upload_key, offset, connection):
        end += len(block)
        yield block
    if end < batch.row["input_bytes"]:
        raise InputPruned("The input ceased to be kept while it was being read.")


def last_row(group: Group) -> int:
    return group.first_row + len(group.records) - 1


def join(
    groups: Iterator[Group], windows: Iterator[T], rows_of: Callable[[T], Sequence[int]]
) -> Iterator[tuple[T, Piece]]:
    """Every result beside the group that holds its row; reads no input where there are no results."""
    group: Group | None = None
    for window in windows:
        rows, start = rows_of(window), 0
        while start < len(rows):
            while group is None or last_row(group) < rows[start]:
                group = next(groups)
            stop = bisect_right(rows, last_row(group), lo=start)
            yield window, Piece(group, start, stop)
            start = stop


def _stretches(connection: Connection, batch: ReadBatch, rows: Sequence[int]) -> list[_Stretch]:
    stretches: list[_Stretch] = []
    for row, offset, line, last in results.find_checkpoints(connection, batch.key, rows):
        place = Checkpoint(row, offset, line) if row else required_dialect(batch).start
        near = stretches and place.offset - stretches[-1].end < NEAR
        start = stretches.pop().start if near else place
        stretches.append(_Stretch(start, place.offset, last))
    return stretches


def record_of(group: Group, row: int) -> list[str]:
    return group.records[row - group.first_row]


def line_of(group: Group, row: int) -> int | None:
    """The physical line where a row begins; JSON has none."""
    return group.lines[row - group.first_row] or None


def indexes_of(group: Group, rows: list[int]) -> Sequence[int]:
    """Where `rows` are in the group; a range if they are all of it, one by one."""
    everything = range(group.first_row, last_row(group) + 1)
    return range(len(rows)) if rows == list(everything) else [row - group.first_row for row in rows]


def picked(values: Sequence[T], indexes: Sequence[int]) -> Sequence[T]:
    """Of one value for each record of a group, those at `indexes`."""
    return values if isinstance(indexes, range) else [values[index] for index in indexes]
