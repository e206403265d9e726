"""Cursors of lists: where the next page begins, as text that clients pass back without looking inside."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from worker.errors import Invalid

LARGEST = 2**63 - 1


def encode_cursor(*parts: int | str) -> str:
    """The parts as URL-safe text."""
    plain = json.dumps(parts, separators=(",", ":")).encode("ascii")
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode("ascii")


def decode_cursor(cursor: str, kinds: Sequence[type[int] | type[str]]) -> tuple[Any, ...]:
    """The parts that `encode_cursor` was given: integers of 0 to 63 bits and text, as `kinds` has them.

    Raises:
        Invalid: it is no cursor, or one of another list.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or len(parts) != len(kinds) or not all(map(_fits, parts, kinds)):
        raise Invalid("The cursor is not one that this list gave out.", parameter="cursor")
    return tuple(parts)


def _fits(part: object, kind: type[int] | type[str]) -> bool:
    if kind is int:
        return type(part) is int and 0 <= part <= LARGEST
    return isinstance(part, str) and part.isprintable()
