"""What each record of a group names, column by column: made for a million rows."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from worker.intake.dialect import Dialect, Group
from worker.intake.identifiers import MANGLED, MAX_LENGTH, is_plain, is_plain_code, normalise
from worker.intake.payloads import Payload, checked_pair, is_url, read_url
from worker.intake.text import clean
from worker.states import Reason


class RefKind(IntEnum):
    """What an identifier is said to be; only the inventory knows whether it is."""

    INVALID = 0
    DEVICE = 1
    KIT = 2
    PAIR = 3
    ANY = 4  # a device or a kit


_KINDS: Final = {
    "device_id": RefKind.DEVICE,
    "kit_id": RefKind.KIT,
    "serial_number": RefKind.PAIR,
    "identifier": RefKind.ANY,
}
_ALLOWED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
_mangled_line = re.compile(f"^{MANGLED}$", re.MULTILINE).search

Rows: TypeAlias = Sequence[int]
Records: TypeAlias = list[list[str]]


@dataclass(frozen=True)
class References:
    """One entry for each record of a group."""

    kinds: bytearray  # of RefKind
    identifiers: list[str]  # normalised; a serial number for PAIR, empty for INVALID
    codes: dict[int, str] = field(default_factory=dict)  # by index, for PAIR
    reasons: dict[int, Reason] = field(default_factory=dict)  # by index, for INVALID

    def name(self, row: int, kind: RefKind, identifier: str, code: str | None = None) -> None:
        self.kinds[row] = kind
        self.identifiers[row] = identifier
        if code is not None:
            self.codes[row] = code

    def name_all(self, rows: Rows, kind: RefKind, identifiers: list[str]) -> None:
        """Give every one of `rows` a name, which `forget` takes back."""
        if isinstance(rows, range):
            self.kinds[:] = bytes([kind]) * len(rows)
            self.identifiers[:] = identifiers
        else:
            for row, identifier in zip(rows, identifiers, strict=True):
                self.name(row, kind, identifier)

    def forget(self, row: int) -> None:
        self.kinds[row] = RefKind.INVALID
        self.identifiers[row] = ""
        self.codes.pop(row, None)

    def refuse(self, row: int, reason: Reason) -> None:
        self.reasons[row] = reason


def references(dialect: Dialect, group: Group) -> References:
    """What every record names: by its first filled cell, in the order of the contract."""
    count = len(group.records)
    found = References(bytearray(count), [""] * count)
    rows: Rows = range(count)
    for take in (_take_devices, _take_pairs, _take_kits, _take_any):
        rows = take(found, group.records, dialect, rows) if rows else rows
    for row in rows:
        _refuse_rest(found, group.records[row], dialect, row)
    return found


def _take_devices(found: References, records: Records, dialect: Dialect, rows: Rows) -> Rows:
    return _take_column(found, _column(records, dialect, "device_id", rows), rows, RefKind.DEVICE, _one)


def _take_kits(found: References, records: Records, dialect: Dialect, rows: Rows) -> Rows:
    return _take_column(found, _column(records, dialect, "kit_id", rows), rows, RefKind.KIT, _one)


def _take_any(found: References, records: Records, dialect: Dialect, rows: Rows) -> Rows:
    return _take_column(found, _column(records, dialect, "identifier", rows), rows, RefKind.ANY, _one_or_url)


def _column(records: Records, dialect: Dialect, name: str, rows: Rows) -> list[str] | None:
    column = dialect.roles.get(name)
    if column is None:
        return None
    if isinstance(rows, range):
        try:
            return [record[column] for record in records]
        except IndexError:
            pass
    return [record[column] if column < len(record := records[row]) else "" for row in rows]


Read: TypeAlias = Callable[[References, int, RefKind, str], None]


def _take_column(found: References, cells: list[str] | None, rows: Rows, kind: RefKind, read: Read) -> Rows:
    """Name or refuse every row whose cell is filled; the others are left for the next column."""
    if cells is None:
        return rows
    if plain := _all_plain(cells):
        found.name_all(rows, kind, plain)
        return ()
    cells = list(map(str.strip, cells))
    found.name_all(rows, kind, list(map(str.lower, cells)))
    left = []
    for index in [index for index, cell in enumerate(cells) if not is_plain(cell)]:
        found.forget(rows[index])
        if clean(cells[index]):
            read(found, rows[index], kind, cells[index])
        else:
            left.append(rows[index])
    return left


def _all_plain(cells: list[str]) -> list[str] | None:
    """The cells normalised, if none of them needs a second look: a few passes in C over all of them."""
    text = "\n".join(cells)
    if not text.isascii() or max(map(len, cells)) > MAX_LENGTH or not min(map(len, cells)):
        return None
    if len(text.encode().translate(None, _ALLOWED)) != len(cells) - 1 or ("." in text and _mangled_line(text)):
        return None
    return text.lower().split("\n")


def _one(found: References, row: int, kind: RefKind, cell: str) -> None:
    identifier = normalise(cell)
    if isinstance(identifier, Reason):
        found.refuse(row, identifier)
    else:
        found.name(row, kind, identifier)


def _one_or_url(found: References, row: int, kind: RefKind, cell: str) -> None:
    trimmed = clean(cell)
    if not is_url(trimmed):
        _one(found, row, kind, cell)
        return
    payload = read_url(trimmed)
    if isinstance(payload, Payload):
        found.name(row, _KINDS[payload.column], payload.identifier, payload.code)
    else:
        found.refuse(row, payload)


def _take_pairs(found: References, records: Records, dialect: Dialect, rows: Rows) -> Rows:
    """A pair counts where both its cells are filled; a half of one only where nothing else is."""
    serial_numbers = _column(records, dialect, "serial_number", rows)
    codes = _column(records, dialect, "claim_code", rows)
    if serial_numbers is None or codes is None:
        return rows
    serial_numbers, codes = list(map(str.strip, serial_numbers)), list(map(str.strip, codes))
    found.name_all(rows, RefKind.PAIR, list(map(str.lower, serial_numbers)))
    found.codes.update(zip(rows, codes, strict=True))
    left = []
    pairs = enumerate(zip(serial_numbers, codes, strict=True))
    for index in [index for index, (name, code) in pairs if not (is_plain(name) and is_plain_code(code))]:
        found.forget(rows[index])
        if clean(serial_numbers[index]) and codes[index]:
            _pair(found, rows[index], serial_numbers[index], codes[index])
        else:
            left.append(rows[index])
    return left


def _pair(found: References, row: int, serial_number: str, code: str) -> None:
    checked, checked_code = checked_pair(serial_number, code)
    if isinstance(checked, Reason):
        found.refuse(row, checked)
    else:
        found.name(row, RefKind.PAIR, checked, checked_code)


def _refuse_rest(found: References, record: list[str], dialect: Dialect, row: int) -> None:
    filled = {name for name, column in dialect.roles.items() if column < len(record) and clean(record[column])}
    if "serial_number" in filled:
        found.refuse(row, Reason.MISSING_CODE)
    elif "claim_code" in filled:
        found.refuse(row, Reason.MISSING_SERIAL_NUMBER)
    else:
        found.refuse(row, Reason.EMPTY)
