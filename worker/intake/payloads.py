"""What a scanned QR code holds: a URL that names a device or a kit, perhaps with its claim code."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from worker.intake.columns import bare
from worker.intake.identifiers import MASK, normalise, normalise_code
from worker.intake.text import clean
from worker.states import Reason

_is_url = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S*[/?]").match
# Whatever `bare` makes a claim code's name of; a pattern that only spares the rest of the work.
_mentions_code = re.compile(r"[\W_]*".join("claimcode"), re.IGNORECASE).search
_VALUE: Final = re.compile(r"[^&#]+")
_SINGLE: Final = (
    ("device_id", "deviceid"),
    ("kit_id", "kitid"),
    ("identifier", "identifier"),
    ("identifier", "id"),
)


@dataclass(frozen=True)
class Payload:
    """What a URL names: the column it belongs in, the identifier and, with a serial number, the code."""

    column: str
    identifier: str
    code: str | None = None


def is_url(text: str) -> bool:
    return _is_url(text) is not None


def read_url(text: str) -> Payload | Reason:
    """What the URL `text` names, normalised, or why it names nothing."""
    try:
        parts = urlsplit(clean(text))
        values = _first_filled(parse_qsl(parts.query))
    except ValueError:
        return Reason.BAD_CHARACTER
    for column, parameter in _SINGLE:
        if parameter in values:
            return _single(column, values[parameter])
    if "serialnumber" in values or "claimcode" in values:
        return _pair(values)
    return _single("identifier", unquote(parts.path.rstrip("/").rpartition("/")[2]))


def _first_filled(parameters: list[tuple[str, str]]) -> dict[str, str]:
    return {bare(name): value for name, value in reversed(parameters) if clean(value)}


def _single(column: str, text: str) -> Payload | Reason:
    identifier = normalise(text)
    if isinstance(identifier, Reason):
        # An address that leads nowhere is not an empty cell.
        return Reason.BAD_CHARACTER if identifier is Reason.EMPTY else identifier
    return Payload(column, identifier)


def _pair(values: dict[str, str]) -> Payload | Reason:
    serial_number, code = checked_pair(values.get("serialnumber", ""), values.get("claimcode", ""))
    return serial_number if isinstance(serial_number, Reason) else Payload("serial_number", serial_number, code)


def checked_pair(serial_number: str, code: str) -> tuple[str | Reason, str]:
    """Both normalised; or the first reason why they cannot be used, and no code."""
    checked, checked_code = normalise(serial_number), normalise_code(code)
    if isinstance(checked, Reason):
        return (Reason.MISSING_SERIAL_NUMBER if checked is Reason.EMPTY else checked), ""
    if isinstance(checked_code, Reason):
        return (Reason.MISSING_CODE if checked_code is Reason.EMPTY else checked_code), ""
    return checked, checked_code


def mask_codes(text: str) -> str:
    """`text` with the value of every `claim_code=` in it replaced, however the URL is encoded."""
    if "=" not in text and "%3" not in text:
        return text
    if not _mentions_code(unquote(text)):
        return text
    masked = _mask(text)
    decoded = unquote(masked)
    masked_inside = masked if decoded is masked else _mask(decoded)
    return masked if masked_inside == decoded else masked_inside


def _mask(text: str) -> str:
    # By `find`, not by one expression: a megabyte without an equals sign must not take quadratic time.
    done, pieces = 0, []
    while (equals := text.find("=", done)) >= 0:
        pieces.append(text[done : equals + 1])
        name = text[done:equals].rpartition("?")[2].rpartition("&")[2].rpartition("#")[2]
        done = equals + 1
        if bare(unquote_plus(name)).endswith("claimcode"):
            value = _VALUE.match(text, done)
            done = value.end() if value else done
            pieces.append(MASK if value else "")
    return "".join([*pieces, text[done:]])
