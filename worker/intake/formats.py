"""Files that are something else, whatever they are called."""

import re
from typing import Final

import puremagic

from worker.intake.problems import not_csv

HEAD: Final = 65_536

_MARKS: Final = (
    (b"%PDF-", "a PDF document", "Export the table itself as CSV"),
    (b"\x89PNG\r\n\x1a\n", "a picture (PNG)", "Send the list as text in a CSV file"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "Send the list as text in a CSV file"),
    (b"GIF8", "a picture (GIF)", "Send the list as text in a CSV file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", "Open it and save it as CSV"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and send the CSV file that is in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it and send the CSV file that is in it"),
    (b"Rar!\x1a\x07", "a RAR archive", "Unpack it and send the CSV file that is in it"),
    (b"{\\rtf", "a rich text document (.rtf)", "Save it as CSV"),
)
_ZIPS: Final = (
    (re.compile(rb"xl/|spreadsheetml"), "an Excel workbook (.xlsx)", "Open it and save it as CSV"),
    (
        re.compile(rb"opendocument\.spreadsheet"),
        "an OpenDocument spreadsheet (.ods)",
        "Open it and save it as CSV",
    ),
    (
        re.compile(rb"word/"),
        "a Word document (.docx)",
        "Copy the table into a spreadsheet and save it as CSV",
    ),
    (re.compile(rb"\[Content_Types\]\.xml"), "an Excel workbook (.xlsx)", "Open it and save it as CSV"),
    (re.compile(rb""), "a ZIP archive", "Unpack it and send the CSV file that is in it"),
)
_TEXTS: Final = (
    (
        re.compile(rb"\s*<(!doctype\s+html|html|head|table)\b", re.IGNORECASE),
        "a web page (HTML)",
        "Save it as CSV",
    ),
    (re.compile(rb"\s*<\?xml\b"), "an XML document", "Save it as CSV"),
    (
        re.compile(rb'\s*\{\s*"(kit_ids|device_ids|devices)"\s*:'),
        "JSON",
        "Send it with the content type application/json",
    ),
)
# What text does not have; NUL is left out, because a damaged export has single ones in its cells.
_BINARY: Final = re.compile(rb"[\x01-\x08\x0e-\x19]")
_SHORTEST_MARK: Final = 4


def refuse_other_formats(head: bytes) -> None:
    """Raise InputRejected if the input that begins with `head` is no text at all, or another kind of text."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    found = _zipped(head) or _marked(head) or _other_text(text) or _binary(head)
    if found:
        name, advice = found
        raise not_csv(f"This is {name}, not CSV. {advice}.")


def _zipped(head: bytes) -> tuple[str, str] | None:
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    return next((name, advice) for pattern, name, advice in _ZIPS if pattern.search(head))


def _marked(head: bytes) -> tuple[str, str] | None:
    return next(((name, advice) for mark, name, advice in _MARKS if head.startswith(mark)), None)


def _other_text(head: bytes) -> tuple[str, str] | None:
    return next(((name, advice) for pattern, name, advice in _TEXTS if pattern.match(head)), None)


def _binary(head: bytes) -> tuple[str, str] | None:
    """Formats known to puremagic, asked only for what no text would have: its short marks fit many a text."""
    if not _BINARY.search(head) or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    try:
        matches = puremagic.magic_string(head)
    except (LookupError, ValueError):  # it knows none
        return None
    likely = [match for match in matches if match.offset == 0 and len(match.byte_match) >= _SHORTEST_MARK]
    return (f"a file of another kind ({likely[0].name})", "Save the list as CSV") if likely else None
