"""The inventory as resolve asks for it: many identifiers at once, answered as integer keys."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

_SNAPSHOT = text("set transaction isolation level repeatable read, read only")
# Sorted, so that the index is walked once from left to right; identifiers have no comma. As a subquery, so
# that the planner does not estimate 50,000 elements one by one.
_DEVICES = "select device_id, key from device where device_id = any((select string_to_array(%s, ','))::text[])"
_KITS = "select kit_id, key from kit where kit_id = any((select string_to_array(%s, ','))::text[])"
_KIT_DEVICES = "select kit_key, key from device where kit_key = any(%s) order by kit_key, device_id"
_SERIALS = """
    select d.serial_number, d.key, d.code_hash, c.project_key
    from device d left join claim c on c.device_key = d.key
    where d.serial_number = any((select string_to_array(%s, ','))::text[])"""


class SerialRow(NamedTuple):
    """What a serial number leads to; `holder` is the key of the project that holds the device."""

    device_key: int
    code_hash: bytes | None
    holder: int | None


def use_one_snapshot(connection: Connection) -> None:
    """All statements of this transaction see the same moment."""
    connection.execute(_SNAPSHOT)


def find_devices(connection: Connection, identifiers: Collection[str]) -> dict[str, int]:
    """Device keys by normalised device ID, for those that exist."""
    return _find(connection, _DEVICES, identifiers)


def find_kits(connection: Connection, identifiers: Collection[str]) -> dict[str, int]:
    """Kit keys by normalised kit ID, for those that exist."""
    return _find(connection, _KITS, identifiers)


def find_kit_devices(connection: Connection, kits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """An array of shape (devices, 2): kit key and device key, ordered by kit key and device ID."""
    if not len(kits):
        return np.empty((0, 2), dtype=np.int64)
    rows = _cursor(connection).execute(_KIT_DEVICES, (kits,)).fetchall()
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def find_serials(connection: Connection, serials: Collection[str]) -> dict[str, SerialRow]:
    """What is known of serial numbers, by normalised serial number, for those that exist."""
    if not serials:
        return {}
    rows = _cursor(connection).execute(_SERIALS, (",".join(sorted(serials)),)).fetchall()
    return {row[0]: SerialRow(*row[1:]) for row in rows}


def _find(connection: Connection, query: str, identifiers: Collection[str]) -> dict[str, int]:
    if not identifiers:
        return {}
    return dict(_cursor(connection).execute(query, (",".join(sorted(identifiers)),)).fetchall())


def _cursor(connection: Connection) -> Any:  # noqa: ANN401  # the driver's own cursor: no object per row but the tuple
    return connection.connection.cursor(binary=True)
