"""Which character separates the cells, and where the first record is."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from worker.intake.columns import known_names, report_start
from worker.intake.formulas import unescape_formula
from worker.intake.identifiers import normalise
from worker.intake.numbers import joined_numbers
from worker.intake.payloads import is_url
from worker.intake.records import SENTINEL
from worker.intake.text import clean
from worker.states import Reason

DELIMITERS: Final = (",", ";", "\t")
_LOOKED_AT: Final = 100

_separator = re.compile(r"\ufeff?\"?sep=([,;\t|])[\"\s,;]*", re.IGNORECASE).fullmatch


def told_delimiter(line: str) -> str | None:
    """The delimiter if `line` is a `sep=` line."""
    told = _separator(line)
    return told[1] if told else None


@dataclass(frozen=True)
class First:
    """The first record that is not blank, as one delimiter cuts it."""

    delimiter: str
    cells: list[str]
    start: int  # how many lines of the sample are before it
    end: int  # and before the next one
    balanced: bool


def first_record(sample: Sequence[str], candidates: Sequence[str] = DELIMITERS) -> First | None:
    """The first record under the delimiter that explains the sample best; None if there is no record."""
    found = [first for delimiter in candidates if (first := _cut(sample, delimiter))]
    return max(found, key=lambda first: _merit(first, sample), default=None)


def _cut(sample: Sequence[str], delimiter: str) -> First | None:
    reader = csv.reader([*sample, SENTINEL], delimiter=delimiter)
    start = 0
    for record in reader:
        if start == len(sample):
            break
        if any(map(clean, record)):
            cells = list(map(unescape_formula, joined_numbers(record, delimiter)))
            return First(delimiter, cells, start, reader.line_num, balanced=reader.line_num <= len(sample))
        start = reader.line_num
    return None


def _merit(first: First, sample: Sequence[str]) -> tuple[int, int, int, int, int]:
    """Known names decide, then the number of cells; what follows decides where the header is one cell."""
    dropped = report_start(first.cells)
    known = len(known_names(first.cells[:dropped]))
    following = csv.reader(sample[first.start :], delimiter=first.delimiter)
    records = [joined_numbers(record, first.delimiter) for record in islice(following, _LOOKED_AT)]
    cut = [record for record in records if len(record) > 1]
    sensible = sum(not isinstance(normalise(record[0]), Reason) for record in cut)
    order = -DELIMITERS.index(first.delimiter) if first.delimiter in DELIMITERS else 0
    # A URL may have any of the delimiters in it: where one comes first, more cells are no better.
    cells = 1 if is_url(first.cells[0]) else len(first.cells)
    return known, cells, sensible, -len(cut), order
