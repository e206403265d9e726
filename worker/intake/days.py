"""The days on which the rows of an input want their prepaid time to start."""

import re
from datetime import date
from functools import lru_cache
from typing import Final

from worker.intake.dialect import Dialect, Group
from worker.intake.identifiers import unquoted
from worker.intake.text import clean

NO_DAY: Final = 0
BAD_DAY: Final = -1
_LONGEST: Final = 64
_EPOCH: Final = date(1970, 1, 1).toordinal()

# Databases and spreadsheets export a day as its midnight.
_is_day = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]00:00(?::00(?:\.0+)?)?)?").fullmatch


def activation_days(dialect: Dialect, group: Group) -> list[int] | None:
    """For each record the day in its cell, as `day_number`, NO_DAY or BAD_DAY; None without such a column."""
    column = dialect.day_column
    if column is None:
        return None
    cells = [record[column] if column < len(record) else "" for record in group.records]
    # Most of a file has the same few days; what is longer than any day need not be remembered.
    days = {cell: _day_of(cell.strip()[:_LONGEST]) for cell in set(cells)}
    return [days[cell] for cell in cells]


def day_number(day: date) -> int:
    """The days since 1970-01-01."""
    return day.toordinal() - _EPOCH


@lru_cache(maxsize=4096)
def _day_of(cell: str) -> int:
    text = unquoted(clean(cell))
    if not text:
        return NO_DAY
    found = _is_day(text)
    try:
        return (found and day_number(date.fromisoformat(found[1]))) or BAD_DAY
    except ValueError:
        return BAD_DAY
