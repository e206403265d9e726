"""What is measured on: an inventory as it grows by many imports, and files that claim from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.inventory import import_inventory
from worker.runtime import Runtime

Identifiers = npt.NDArray[np.bytes_]

DEVICES_PER_KIT = 25
_LENGTH = 20
_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_HEADER = b"device_id,device_type,product_number,kit_id,kit_name,prepaid_months\n"
_UNKNOWN_SHARE = 0.04
# An import numbers its devices in the order of their identifiers; an inventory grows by many imports.
_IMPORTS = 10


@dataclass(frozen=True)
class World:
    """Devices by their identifiers; the first ones are in kits, and only the others are named in files."""

    in_kits: Identifiers
    alone: Identifiers
    unknown: Identifiers

    @property
    def kits(self) -> list[str]:
        """The identifiers of the kits, each of 25 devices."""
        return [_kit(number) for number in range(len(self.in_kits) // DEVICES_PER_KIT)]


def make_world(devices: int, kits: int) -> World:
    """The same world each time."""
    known = _identifiers(devices, seed=1)
    split = kits * DEVICES_PER_KIT
    return World(known[:split], known[split:], _identifiers(devices, seed=2))


def fill_inventory(runtime: Runtime, world: World) -> None:
    """Import the world's devices, as its manufacturer would."""
    lines = [*_lines_of_kits(world), *(b"%b,ccon,102151,,,60\n" % each for each in world.alone.tolist())]
    size = -(-len(lines) // _IMPORTS)
    for start in range(0, len(lines), size):
        import_inventory(runtime, [_HEADER, *_blocks(lines[start : start + size])])


def write_claims(world: World, size: int, path: Path) -> None:
    """A file of `size` rows in random order, 4 % of them naming no device."""
    random = np.random.default_rng(size)
    unknown = int(size * _UNKNOWN_SHARE)
    rows = np.concatenate([random.choice(world.alone, size - unknown, replace=False), world.unknown[:unknown]])
    random.shuffle(rows)
    path.write_bytes(b"\n".join([b"device_id", *rows.tolist(), b""]))


def _lines_of_kits(world: World) -> Iterator[bytes]:
    for at, device in enumerate(world.in_kits.tolist()):
        kit = _kit(at // DEVICES_PER_KIT).encode()
        yield b"%b,temp,102058,%b,%b,60\n" % (device, kit, kit)


def _kit(number: int) -> str:
    return f"kit-{number:06}"


def _identifiers(count: int, seed: int) -> Identifiers:
    letters = np.random.default_rng(seed).integers(0, len(_ALPHABET), size=(count, _LENGTH), dtype=np.uint8)
    return _ALPHABET[letters].view(f"S{_LENGTH}").ravel()


def _blocks(lines: list[bytes]) -> Iterator[bytes]:
    for start in range(0, len(lines), 10_000):
        yield b"".join(lines[start : start + 10_000])
