"""Physical lines into CSV records."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from worker.intake.dialect import GROUP_CHARS, GROUP_LINES, Limits
from worker.intake.lines import PhysicalLines
from worker.intake.problems import unbalanced_quotes

# Read behind the last line: it comes back as a record of its own unless a quote is still open.
SENTINEL: Final = "-\n"
_LARGEST_LIMIT: Final = 2**31 - 1  # a C long has no more on some systems


@dataclass(frozen=True)
class Batch:
    """The records that begin in up to 1,000 physical lines."""

    text: str  # of all their lines
    records: list[list[str]]
    starts: list[int] | range  # for each record the line where it begins
    next_line: int


def allow_fields(limits: Limits) -> None:
    """The csv module's own limit is one for the whole process: it is only ever raised, and ours holds."""
    wanted = min(2 * (limits.record_chars + GROUP_CHARS), _LARGEST_LIMIT)
    csv.field_size_limit(max(csv.field_size_limit(), wanted))


class RecordReader:
    """Batches of records, none of them longer than the limits allow."""

    def __init__(self, lines: PhysicalLines, delimiter: str, limits: Limits) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._limits = limits
        allow_fields(limits)

    def batches(self) -> Iterator[Batch]:
        """All batches to the end of the input; raises InputRejected."""
        line = self._lines.line
        while taken := self._lines.take(GROUP_LINES):
            batch = self._line_by_line(taken, line) or self._record_by_record(taken, line)
            yield batch
            line = batch.next_line

    def _line_by_line(self, taken: list[str], line: int) -> Batch | None:
        """The batch if each of its lines is one record, which is how nearly all input is."""
        records = list(csv.reader([*taken, SENTINEL], delimiter=self._delimiter))
        if len(records) <= len(taken):
            return None
        records.pop()
        end = line + len(taken)
        return Batch("".join(taken), records, range(line, end), end)

    def _record_by_record(self, taken: list[str], line: int) -> Batch:
        feed = _Feed(taken, self._lines, self._limits.record_chars, line)
        reader = csv.reader(feed, delimiter=self._delimiter)
        records, starts = [], []
        while reader.line_num < len(taken):
            starts.append(line + reader.line_num)
            feed.begin_record()
            records.append(next(reader))
        return Batch("".join(feed.used), records, starts, line + reader.line_num)


class _Feed(Iterator[str]):
    """Lines for the csv reader, which asks for another one in a record only while a quote is open."""

    def __init__(self, taken: list[str], more: PhysicalLines, longest: int, line: int) -> None:
        self.used: list[str] = []
        self._taken = taken
        self._more = more
        self._longest = longest
        self._line = line  # of the first taken line
        self._record_line = line
        self._record_chars = 0

    def begin_record(self) -> None:
        self._record_line = self._line + len(self.used)
        self._record_chars = 0

    def __next__(self) -> str:
        index = len(self.used)
        following = self._taken[index : index + 1] or self._more.take(1)
        if not following or self._record_chars > self._longest:
            raise unbalanced_quotes(self._record_line)
        self._record_chars += len(following[0])
        self.used.append(following[0])
        return following[0]
