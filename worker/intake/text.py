"""Characters that nobody sees."""

import re
from typing import Final

# Zero-width spaces and joiners, byte order marks, soft hyphens and the marks of writing direction:
# they come along with text that was copied from web pages, PDFs and chats.
_INVISIBLE: Final = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]+")


def clean(text: str) -> str:
    """`text` without surrounding spaces of any kind and without invisible characters."""
    return text.strip() if text.isascii() else _INVISIBLE.sub("", text).strip()
