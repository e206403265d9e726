"""Numbers with a decimal comma, which a comma between cells has cut in two: `1,23E+19`."""

import re
from collections.abc import Callable
from itertools import pairwise

_is_mantissa = re.compile(r"[+-]?[0-9]{1,3}").fullmatch
_is_rest = re.compile(r"[0-9]+[eE]\+[0-9]{1,3}").fullmatch
_is_loose_rest = re.compile(r"[0-9]+[eE][+-]?[0-9]{1,3}").fullmatch
_has_cut = re.compile(r"[0-9],[0-9]+[eE][+-]?[0-9]").search


def may_have_cut_numbers(text: str, *, too_long: bool) -> bool:
    """Whether records have to be looked at one by one; `too_long` if some have more cells than the header."""
    return ("E+" in text or "e+" in text or too_long) and _has_cut(text) is not None


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
