"""Cells that a spreadsheet would run, and the apostrophe that keeps it from doing so."""

import re
from typing import Final

# The full-width signs are run by spreadsheets set to East Asian languages. Apostrophes before such a sign
# count as well, so that taking one off always gives back what one was put before.
_RUN: Final = re.compile("'*[=+@\\-\t\r\n\uff1d\uff0b\uff0d\uff20]")
_ESCAPED: Final = re.compile("'" + _RUN.pattern)


def escape_formula(cell: str) -> str:
    """`cell` as a report gives it: with a leading apostrophe if a spreadsheet would run it."""
    return "'" + cell if _RUN.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """The cell that `escape_formula` was given."""
    return cell[1:] if _ESCAPED.match(cell) else cell


def unescape_records(records: list[list[str]]) -> list[list[str]]:
    """The records, with every cell as it was before a report escaped it."""
    return [[unescape_formula(cell) if cell[:1] == "'" else cell for cell in record] for record in records]
