"""The demo inventory: 400 kits of 25 devices. Everything follows from the number of the lot."""

import base64
import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

KITS: Final = 400
KIT_SIZE: Final = 25
DEVICES: Final = KITS * KIT_SIZE
HEADER: Final = (
    *("device_id", "device_type", "product_number", "kit_id", "kit_name"),
    *("serial_number", "claim_code", "prepaid_months"),
)
_TYPES: Final = (("Temperature sensor", "102058"), ("Humidity sensor", "102058H"), ("Door sensor", "102093"))
_MONTHS: Final = (12, 36, 60)
# Kits whose devices come with 12, 36 and 60 months.
ONE_OF_EACH: Final = (3, 1, 2)
# Of so many devices, the last has no prepaid subscription, and every fifth a serial number.
_UNPAID_EVERY: Final = 1_000
_SERIAL_EVERY: Final = 5


@dataclass(frozen=True)
class Lot:
    """One delivery of 10,000 devices. Devices count from 1 to DEVICES, kits from 1 to KITS."""

    number: int

    def device_id(self, device: int) -> str:
        return f"SNS-{self.number:02d}-{device:05d}"

    def kit_id(self, kit: int) -> str:
        return f"KIT-{self.number:02d}-{kit:03d}"

    def serial_number(self, device: int) -> str:
        return f"77{self.number:02d}{device:06d}"

    def claim_code(self, device: int) -> str:
        """Eight characters that nobody guesses, at least in a real inventory."""
        digest = hashlib.sha256(f"demo {self.number} {device}".encode()).digest()
        letters = base64.b32encode(digest)[:8].decode()
        return f"{letters[:4]}-{letters[4:]}"

    def inventory(self) -> Iterator[bytes]:
        """The CSV file that a manufacturer would send, kit by kit."""
        yield _lines([HEADER])
        for kit in range(1, KITS + 1):
            yield _lines([self._line(device, kit) for device in devices_of(kit)])

    def _line(self, device: int, kit: int) -> Sequence[object]:
        kind, product = _TYPES[kit % len(_TYPES)]
        pair = ("", "") if device % _SERIAL_EVERY else (self.serial_number(device), self.claim_code(device))
        months = _MONTHS[kit % len(_MONTHS)] if device % _UNPAID_EVERY else 0
        return (
            *(self.device_id(device), kind, product),
            *(self.kit_id(kit), f"{KIT_SIZE} {kind.lower()}s"),
            *(*pair, months),
        )


def devices_of(kit: int) -> range:
    """The devices in a kit."""
    return range((kit - 1) * KIT_SIZE + 1, kit * KIT_SIZE + 1)


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
