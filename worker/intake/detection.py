"""What an input is and how it is to be read."""

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from worker.intake.columns import (
    ACTIVATE_ON,
    KNOWN,
    columns_called,
    known_names,
    report_start,
    unique_names,
    without_trailing_empty,
)
from worker.intake.delimiters import DELIMITERS, First, first_record, told_delimiter
from worker.intake.dialect import GROUP_LINES, Checkpoint, Dialect, Limits, Source
from worker.intake.encodings import Encoding, detect_encoding
from worker.intake.formats import HEAD, refuse_other_formats
from worker.intake.groups import size, without_bytes
from worker.intake.json_source import json_dialect
from worker.intake.lines import PhysicalLines
from worker.intake.problems import (
    empty,
    no_known_column,
    repeated_column,
    too_many_columns,
    unbalanced_quotes,
)
from worker.intake.records import allow_fields

# Four quotes in a row are a cell with a quote in it.
_is_blank = re.compile(r'(?:[\s,;]|""(?!"))*+').fullmatch
HEADERLESS: Final = ("identifier",)
_ENCODING_HEAD: Final = 4096


def detect(open_blocks: Callable[[], Iterator[bytes]], source: Source, limits: Limits) -> Dialect:
    """The dialect of the input, which is read once as a whole and then again up to its first record.

    Raises InputRejected if it is no CSV that can be used.
    """
    if source == "json":
        return json_dialect()
    head, blocks = _head(open_blocks())
    refuse_other_formats(head)
    encoding = detect_encoding(head[:_ENCODING_HEAD], blocks)
    allow_fields(limits)
    return _Opening(open_blocks(), encoding, limits).dialect()


def _head(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """How the input begins, and all its blocks."""
    taken: list[bytes] = []
    missing = HEAD
    while missing > 0 and (block := next(blocks, None)) is not None:
        taken.append(block)
        missing -= len(block)
    return b"".join(taken)[:HEAD], chain(taken, blocks)


class _Opening:
    """The input up to its first records."""

    def __init__(self, blocks: Iterator[bytes], encoding: Encoding, limits: Limits) -> None:
        self._lines = PhysicalLines(without_bytes(blocks, encoding.bom), encoding.name, limits.record_chars, 1)
        self._encoding = encoding.name
        self._limits = limits
        self._offset = encoding.bom
        self._line = 1
        self._sample: list[str] = []

    def dialect(self) -> Dialect:
        self._skip_blank_lines()
        told = told_delimiter(self._sample[0])
        if told:
            self._skip(1)
            self._skip_blank_lines()
        first = first_record(self._sample, (told,) if told else DELIMITERS)
        if first is None:
            raise empty()
        self._skip(first.start)
        self._check(first)
        return self._with_header(first)

    def _skip_blank_lines(self) -> None:
        """Leave a sample that begins with the first line that is not blank."""
        while True:
            if not self._sample:
                self._sample = self._lines.take(GROUP_LINES)
            if not self._sample:
                raise empty()
            blank = next((i for i, line in enumerate(self._sample) if not _is_blank(line)), len(self._sample))
            self._skip(blank)
            if self._sample:
                return

    def _skip(self, count: int) -> None:
        self._offset += size("".join(self._sample[:count]), self._encoding)
        self._line += count
        del self._sample[:count]

    def _check(self, first: First) -> None:
        if not first.balanced:
            raise unbalanced_quotes(self._line)
        if len(first.cells) > self._limits.columns:
            raise too_many_columns(self._line, self._limits.columns)

    def _with_header(self, first: First) -> Dialect:
        report = report_start(first.cells)
        header = first.cells[:report]
        known = known_names(header)
        headerless = not known and len(without_trailing_empty(header)) == 1
        if not headerless:
            self._check_names(header, known)
            self._skip(first.end - first.start)
        return Dialect(
            source="csv",
            encoding=self._encoding,
            delimiter=first.delimiter,
            names=HEADERLESS if headerless else unique_names(header),
            start=Checkpoint(row=1, offset=self._offset, line=self._line),
            headerless=headerless,
            from_report=report is not None,
        )

    def _check_names(self, header: list[str], known: list[str]) -> None:
        if not known:
            raise no_known_column(len(header), KNOWN, self._line)
        for name in known:
            if known.count(name) > 1:
                raise repeated_column(name, self._line)
        if len(columns_called(ACTIVATE_ON, header)) > 1:
            raise repeated_column(ACTIVATE_ON, self._line)
