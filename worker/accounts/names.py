"""What may be a name, and what an identifier that somebody chose."""

import re
from typing import Final

from worker.errors import Invalid
from worker.ids import new_id

MAX_NAME: Final = 200
_is_id = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}").fullmatch


def checked_name(name: str) -> str:
    """`name` without spaces around it.

    Raises:
        Invalid: it is empty, longer than 200 characters, or has control characters in it.
    """
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= MAX_NAME or not trimmed.isprintable():
        raise Invalid(f"A name has 1 to {MAX_NAME} printable characters.")
    return trimmed


def checked_id(public_id: str | None, prefix: str) -> str:
    """`public_id`, or a new one.

    Raises:
        Invalid: it could not stand in a URL as it is.
    """
    if public_id is None:
        return new_id(prefix)
    if not _is_id(public_id):
        raise Invalid("An identifier has 1 to 64 of a-z, 0-9, _ and -, and starts with a letter or digit.")
    return public_id
