"""What clients send, with what each row may come to."""

import json
import random
from dataclasses import dataclass, field
from typing import Any, Final

from tests.soak.world import CODED_EVERY, KIT_SIZE, World, claim_code, device_id, kit_devices, kit_id, serial_number

CSV: Final = {"Content-Type": "text/csv"}
JSON: Final = {"Content-Type": "application/json"}
_HOT: Final = 10_000


@dataclass(frozen=True)
class Row:
    """The devices that a row names, or the one outcome that it can have; by `coded` a stranger learns nothing."""

    devices: tuple[int, ...] = ()
    fixed: str | None = None
    coded: bool = False


@dataclass(frozen=True)
class Order:
    """A request body and its rows."""

    body: bytes
    headers: dict[str, str]
    rows: tuple[Row, ...]
    options: dict[str, str] = field(default_factory=dict)

    @property
    def request(self) -> dict[str, Any]:
        return {"content": self.body, "headers": self.headers, "params": self.options}


def kits(world: World, chance: random.Random) -> Order:
    """One to three boxes."""
    chosen = [_some(world, chance, KIT_SIZE) // KIT_SIZE for _ in range(chance.randint(1, 3))]
    rows = [Row(tuple(kit_devices(kit))) for kit in chosen]
    names = [kit_id(kit) for kit in chosen]
    if chance.random() < 0.2:
        names.append("soak-kit-unknown")
        rows.append(Row(fixed="not_found"))
    return Order(json.dumps({"kit_ids": names}).encode(), JSON, tuple(rows))


def pairs(world: World, chance: random.Random) -> Order:
    """Serial numbers with their codes, one of them wrong."""
    start = _some(world, chance, 200) // CODED_EVERY * CODED_EVERY
    numbers = range(start, start + 20 * CODED_EVERY, CODED_EVERY)
    devices = [{"serial_number": serial_number(each), "claim_code": claim_code(each)} for each in numbers]
    devices.append({"serial_number": serial_number(start + 1), "claim_code": "wrong-code-of-soak"})
    rows = [Row((each,), coded=True) for each in numbers] + [Row(fixed="not_found")]
    return Order(json.dumps({"devices": devices}).encode(), JSON, tuple(rows))


def listed(world: World, chance: random.Random, size: int, *, flawless: bool = False) -> Order:
    """A CSV of devices in any order, with bad rows unless it is `flawless`."""
    start = _some(world, chance, size)
    numbers = list(range(start, start + size))
    chance.shuffle(numbers)
    lines, rows = [device_id(each) for each in numbers], [Row((each,)) for each in numbers]
    if not flawless:
        lines += ["soak-unknown", "not an id!", device_id(numbers[0])]
        rows += [Row(fixed="not_found"), Row(fixed="invalid_identifier"), Row((numbers[0],))]
    return Order("\n".join(["device_id", *lines]).encode(), CSV, tuple(rows))


def with_options(order: Order, **options: str) -> Order:
    """The same, sent in another way."""
    return Order(order.body, order.headers, order.rows, options)


def _some(world: World, chance: random.Random, size: int) -> int:
    """Where to begin: often among what everybody wants at the moment."""
    first = max(0, world.size - _HOT) if chance.random() < 0.6 and size < _HOT else 0
    return chance.randrange(first, max(first + 1, world.size - max(size, 200)))
