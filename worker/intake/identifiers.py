"""One identifier, one claim code: what may be one, and how it is compared."""

import re
from typing import Final

from worker.intake.text import clean
from worker.states import Reason

MASK: Final = "***"
MAX_LENGTH: Final = 64
MAX_CODE_LENGTH: Final = 128

# A plus sign behind the E, or a decimal mark before it, tells a number that a spreadsheet wrote from a
# hexadecimal identifier such as 12345678e1234567.
MANGLED: Final = r"[+-]?[0-9]{1,3}(?:(?:[.,][0-9]+)?[eE]\+[0-9]{1,3}|[.,][0-9]+[eE]-?[0-9]{1,3})"

is_plain = re.compile(rf"(?!{MANGLED}$)[A-Za-z0-9._:-]{{1,64}}").fullmatch
is_plain_code = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch
_is_mangled = re.compile(MANGLED).fullmatch
_has_bad_character = re.compile(r"[^A-Za-z0-9._:-]").search
_has_control = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]").search


def normalise(text: str) -> str | Reason:
    """An identifier as it is stored and compared, or why `text` cannot be one."""
    return text.lower() if is_plain(text) else _normalise_trimmed(unquoted(clean(text)))


def _normalise_trimmed(text: str) -> str | Reason:
    if not text:
        return Reason.EMPTY
    if _is_mangled(text):
        return Reason.MANGLED_BY_SPREADSHEET
    if _has_bad_character(text):
        return Reason.BAD_CHARACTER
    return text.lower() if len(text) <= MAX_LENGTH else Reason.TOO_LONG


def unquoted(text: str) -> str:
    """Padding before a quote makes the quotes part of the cell: `a, "b"`."""
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return clean(text[1:-1]) if quoted else text


def normalise_code(text: str) -> str | Reason:
    """A claim code as it is compared, or why `text` cannot be one."""
    code = text.strip()
    if not code:
        return Reason.EMPTY
    if code == MASK:
        return Reason.MASKED_CODE
    if _is_mangled(code):
        return Reason.MANGLED_BY_SPREADSHEET
    if _has_control(code):
        return Reason.BAD_CHARACTER
    return code if len(code) <= MAX_CODE_LENGTH else Reason.TOO_LONG
