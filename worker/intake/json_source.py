"""A JSON body as records: its entries under four columns, so that all the rest is the same as for CSV."""

import json
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Any, Final

from worker.intake.dialect import GROUP_LINES, Checkpoint, Dialect, Group, Limits
from worker.intake.problems import not_json, too_many_rows

NAMES: Final = ("device_id", "kit_id", "serial_number", "claim_code")
# Which columns an entry has, by the length of its record: that tells which list it was in, also if it is empty.
OWN_COLUMNS: Final = MappingProxyType({1: slice(0, 1), 2: slice(1, 2), 4: slice(2, 4)})


def json_dialect() -> Dialect:
    """The one dialect of all JSON bodies."""
    return Dialect("json", "utf-8", ",", NAMES, Checkpoint(row=1, offset=0, line=0))


def read_json_groups(blocks: Iterable[bytes], _dialect: Dialect, limits: Limits, start: Checkpoint) -> Iterator[Group]:
    """The groups of the body in `blocks`, all of it, from row `start.row` on."""
    records = _records(b"".join(blocks))
    if len(records) > limits.rows:
        raise too_many_rows(None, limits.rows)
    for first in range(start.row - 1, len(records), GROUP_LINES):
        part = records[first : first + GROUP_LINES]
        yield Group(Checkpoint(first + 1, 0, 0), part, [0] * len(part))


def _records(body: bytes) -> list[list[str]]:
    """One record for each entry."""
    try:
        content = json.loads(body)
        kits = [["", _storable(kit_id)] for kit_id in _entries(content, "kit_ids")]
        devices = [[_storable(device_id)] for device_id in _entries(content, "device_ids")]
        pairs = [_pair(entry) for entry in _entries(content, "devices")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise not_json("The body is not an object with kit_ids, device_ids and devices.") from problem
    return kits + devices + pairs


def _entries(content: dict[str, Any], name: str) -> list[Any]:
    return content.get(name) or []


def _pair(entry: dict[str, str]) -> list[str]:
    return ["", "", _storable(entry["serial_number"]), _storable(entry["claim_code"])]


def _storable(text: str) -> str:
    """JSON can spell halves of surrogate pairs, which no encoding can."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
