"""The demo upload: a building's sensors in one CSV file, as people really have it."""

import csv
import io
from collections.abc import Iterator
from typing import Final, TypeAlias

from worker.demo.goods import Lot, devices_of

Row: TypeAlias = tuple[str, str, str, str, str]

HEADER: Final = ("Device ID", "Kit ID", "Serial number", "Claim code", "Room")
FILE_NAME: Final = "office-building.csv"
# Who holds what before the upload, by kit.
SISTER_KITS: Final = (301, 302)
STRANGER_KITS: Final = (303,)
OWN_KITS: Final = (304,)
# Claimed by mistake, and given back.
UNWANTED_KITS: Final = (305,)
_ORDERED_AS_KITS: Final = range(1, 61)
_ORDERED_ONE_BY_ONE: Final = range(61, 301)
# Odd rows come early, one in so many, so that the first screen of failures has all kinds.
_ODD_FIRST: Final = 8
_ODD_EVERY: Final = 6


def order(lot: Lot) -> bytes:
    """The CSV file, saved by a spreadsheet: a byte-order mark and CRLF."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(_rows(lot))
    return text.getvalue().encode("utf-8-sig")


def _rows(lot: Lot) -> list[Row]:
    rows = [*_kit_rows(lot), *_device_rows(lot)]
    for number, odd in enumerate(_odd_rows(lot)):
        rows.insert(_ODD_FIRST + number * _ODD_EVERY, odd)
    return rows


def _kit_rows(lot: Lot) -> Iterator[Row]:
    for kit in _ORDERED_AS_KITS:
        yield "", lot.kit_id(kit), "", "", f"Floor {kit % 6 + 1}"


def _device_rows(lot: Lot) -> Iterator[Row]:
    for kit in _ORDERED_ONE_BY_ONE:
        for device in devices_of(kit):
            yield lot.device_id(device), "", "", "", f"{kit % 6 + 1}.{device % 40 + 1:02d}"


def _odd_rows(lot: Lot) -> Iterator[Row]:
    """One of each oddity, then more of the usual ones."""
    yield lot.device_id(1_742).replace("0", "O"), "", "", "", "1.02"  # letters for zeros
    yield "1.23E+19", "", "", "", "1.03"
    yield lot.device_id(devices_of(SISTER_KITS[0])[0]), "", "", "", "1.04"
    yield "", "", lot.serial_number(7_705), "WRNG-CODE", "1.05"
    yield lot.device_id(devices_of(1)[2]), "", "", "", "1.06"  # came in the first kit
    yield "", lot.kit_id(STRANGER_KITS[0]), "", "", "Floor 1"
    yield lot.device_id(8_000), "", "", "", "1.07"  # no subscription
    yield "", lot.kit_id(OWN_KITS[0]), "", "", "Floor 1"
    yield "", "", lot.serial_number(7_710), lot.claim_code(7_710), "1.08"
    yield "", "", lot.serial_number(7_715), "***", "1.09"
    yield "SNS 01/742", "", "", "", "1.10"
    yield "", lot.kit_id(999), "", "", "Floor 2"
    yield f" {lot.device_id(1_501).lower()} ", "", "", "", "1.11"  # padded, in small letters
    yield "", "", lot.serial_number(7_720), "", "1.12"
    yield from _more_odd_rows(lot)


def _more_odd_rows(lot: Lot) -> Iterator[Row]:
    for kit in SISTER_KITS:
        for device in devices_of(kit):
            yield lot.device_id(device), "", "", "", "2.01"
    for device in range(1_501, 1_581):
        yield lot.device_id(device), "", "", "", "2.02"  # stands further down once more
    for number in range(20):
        yield lot.device_id(10_001 + number), "", "", "", "2.03"  # nobody made these
        yield f"1.{number + 10}E+19", "", "", "", "2.04"
    for device in range(7_725, 7_976, 5):
        yield "", "", lot.serial_number(device), lot.claim_code(device), "2.05"
