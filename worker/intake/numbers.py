"""Numbers with a decimal comma, which a comma between cells has cut in two: `1,23E+19`."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final

_is_mantissa = re.compile(r"[+-]?[0-9]{1,3}").fullmatch
_is_rest = re.compile(r"[0-9]+[eE]\+[0-9]{1,3}").fullmatch
_is_loose_rest = re.compile(r"[0-9]+[eE][+-]?[0-9]{1,3}").fullmatch
_MARKS: Final = ("E+", "e+")


def may_have_cut_numbers(text: str) -> bool:
    return _MARKS[0] in text or _MARKS[1] in text


def joined_numbers(record: list[str], delimiter: str, width: int = 1) -> list[str]:
    """`record` with such numbers put together again.

    Without its plus sign the second half could be an identifier of its own (`23e45`): it is taken for half
    a number only in a record that has more cells than the `width` of the header.
    """
    if delimiter != "," or len(record) < 2:  # noqa: PLR2004
        return record
    is_rest = _is_loose_rest if len(record) > width else _is_rest
    if not any(_is_mantissa(left) and is_rest(right) for left, right in pairwise(record)):
        return record
    return _joined(record, is_rest)


def _joined(record: list[str], is_rest: Callable[[str], object]) -> list[str]:
    joined: list[str] = []
    for cell in record:
        if joined and is_rest(cell) and _is_mantissa(joined[-1]):
            joined[-1] += "," + cell
        else:
            joined.append(cell)
    return joined
