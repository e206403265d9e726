"""The cells of a report as CSV text: quoted where needed, and nothing that a spreadsheet would run."""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Final

from worker.intake import Dialect, Group, escape_formula, masked_records

LINE_END: Final = "\r\n"
# What quotes a cell, has an apostrophe put before it, or may lead to a claim code in a URL.
_LOOKED_AT: Final = ('"', "\r", "'", "=", "%3")
_is_plain = re.compile(r"[A-Za-z0-9][^\"\r\n,;\t|]*").fullmatch


class _Lines(list[str]):
    """What csv writes to: one line for each call."""

    write = list.append


def quoted_lines(rows: Iterable[Iterable[str]], delimiter: str) -> list[str]:
    """Each row as CSV text without its line end."""
    lines = _Lines()
    csv.writer(lines, delimiter=delimiter, lineterminator=LINE_END).writerows(rows)
    return [line.removesuffix(LINE_END) for line in lines]


def csv_lines(rows: Iterable[Iterable[str]], delimiter: str) -> list[str]:
    """The same for reports: nothing in them is run by a spreadsheet."""
    return quoted_lines((map(escape_formula, row) for row in rows), delimiter)


def cell(text: str, delimiter: str) -> str:
    """One cell as CSV text; an empty one is empty."""
    return text if not text or _is_plain(text) else csv_lines([[text]], delimiter)[0]


def users_cells(dialect: Dialect, group: Group) -> list[str]:
    """For each record the user's columns as CSV text, codes masked.

    Cells beyond the header have no column in a table and are left out.
    """
    width = len(dialect.names)
    if "claim_code" not in dialect.roles and (lines := _plain_lines(group.records, dialect.delimiter, width)):
        return lines
    records = masked_records(dialect, group.records)
    return csv_lines((record[:width] for record in records), dialect.delimiter)


def _plain_lines(records: Sequence[Sequence[str]], delimiter: str, width: int) -> list[str] | None:
    """The same if no cell needs a second look, which is how nearly all input is: a few passes in C."""
    lines = list(map(delimiter.join, records))
    text = "\n".join(lines)
    if set(map(len, records)) != {width} or text.count(delimiter) != len(lines) * (width - 1) or not all(lines):
        return None
    if text.count("\n") >= len(lines) or any(mark in text for mark in _LOOKED_AT):
        return None
    first_characters = {record[column][:1] for column in range(width) for record in records}
    return None if any(escape_formula(first) != first for first in first_characters) else lines


def identifier_cells(identifiers: list[str]) -> list[str]:
    """Normalised identifiers as cells: they need no quotes, and rarely an apostrophe."""
    return list(map(escape_formula, identifiers)) if "\n-" in "\n".join(["", *identifiers]) else identifiers
