"""The names that clients give their files."""

import re
from collections.abc import Mapping
from email.message import Message
from typing import Final

from python_multipart.multipart import parse_options_header

LONGEST_NAME: Final = 255
_NOT_PRINTED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def attachment_name(header: str) -> str | None:
    """The file name in the Content-Disposition header of a request, plain or by RFC 6266."""
    message = Message()
    message["content-disposition"] = header.encode("latin-1").decode("utf-8", "replace")
    return message.get_filename()


def part_parameters(header: bytes) -> Mapping[str, str]:
    """The parameters of the Content-Disposition of a form's part; their text is UTF-8, as browsers send it."""
    _, parameters = parse_options_header(header)
    return {key.decode("latin-1"): value.decode("utf-8", "replace") for key, value in parameters.items()}


def clean_file_name(name: str | None) -> str | None:
    """The name without folders, invisible characters and more than 255 characters; None if nothing is left."""
    if name is None:
        return None
    last = re.split(r"[/\\]", name)[-1]
    return _NOT_PRINTED.sub("", last).strip()[-LONGEST_NAME:] or None
