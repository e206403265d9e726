"""The inventory that everybody claims from, and what each project was told that it holds."""

import threading
from typing import Final

import numpy as np

KIT_SIZE: Final = 25
LOT: Final = 20_000
MOST: Final = 2_000_000
# Of so many devices one has a serial number and a claim code.
CODED_EVERY: Final = 5


def device_id(number: int) -> str:
    """The public name of a device."""
    return f"soak-{number:07}"


def number_of(device: str) -> int:
    """The device of a public name."""
    return int(device.removeprefix("soak-"))


def kit_id(kit: int) -> str:
    """A box of 25."""
    return f"soak-kit-{kit:06}"


def serial_number(number: int) -> str:
    """Of a device that has one."""
    return f"soak-sn-{number:07}"


def claim_code(number: int) -> str:
    """That goes with it."""
    return f"soak-code-{number:07}"


def kit_devices(kit: int) -> range:
    """The devices in a kit."""
    return range(kit * KIT_SIZE, (kit + 1) * KIT_SIZE)


def lot_csv(lot: int) -> bytes:
    """The inventory file of 20,000 devices."""
    lines = ["device_id,kit_id,serial_number,claim_code,prepaid_months"]
    for number in range(lot * LOT, (lot + 1) * LOT):
        pair = f"{serial_number(number)},{claim_code(number)}" if number % CODED_EVERY == 0 else ","
        lines.append(f"{device_id(number)},{kit_id(number // KIT_SIZE)},{pair},12")
    return "\n".join(lines).encode()


class World:
    """So many devices, and who was told to hold them: `claimed` counts up, `released` down."""

    def __init__(self, projects: int) -> None:
        self.size = 0
        self._told = np.zeros((projects, MOST), dtype=np.int8)
        self._lock = threading.Lock()

    def grow(self) -> None:
        """One more lot was imported."""
        with self._lock:
            self.size += LOT

    def note(self, project: int, claimed: list[int], released: list[int]) -> None:
        """What a project was told."""
        with self._lock:
            np.add.at(self._told[project], claimed, 1)
            np.add.at(self._told[project], released, -1)

    def holds(self, project: int, number: int) -> bool:
        """Whether the project was told so."""
        return bool(self._told[project, number] > 0)

    def told(self, project: int) -> set[int]:
        """The devices that the project was told to hold."""
        return set(np.flatnonzero(self._told[project] > 0).tolist())

    def told_twice(self) -> list[int]:
        """Devices that were told to several holders, or several times to one."""
        return np.flatnonzero(self._told.sum(axis=0, dtype=np.int32) > 1).tolist()

    def share_held(self) -> float:
        """How much of the inventory is held."""
        with self._lock:
            return float(np.count_nonzero(self._told[:, : self.size])) / max(1, self.size)
