"""The inventory as resolve asks for it: many identifiers at once, answered as integer keys."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

Keys: TypeAlias = npt.NDArray[np.int64]

# Sorted, so that the index is walked once from left to right; identifiers have no comma. As a subquery, so
# that the planner does not estimate every element. One row comes back, because a hundred thousand would cost more
# to read than to find.
_FIND = """
    select string_agg(name, ','), string_agg(int8send(key), ''::bytea) from (
        select {column} as name, key from {table}
        where {column} = any((select string_to_array(%s, ','))::text[]) order by {column}) as found"""
_DEVICES = _FIND.format(table="device", column="device_id")
_KITS = _FIND.format(table="kit", column="kit_id")
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


def find_devices(connection: Connection, identifiers: Sequence[str]) -> Keys:
    """The device key of each normalised device ID; 0 where there is none."""
    return _find(connection, _DEVICES, identifiers)


def find_kits(connection: Connection, identifiers: Sequence[str]) -> Keys:
    """The kit key of each normalised kit ID; 0 where there is none."""
    return _find(connection, _KITS, identifiers)


def find_kit_devices(connection: Connection, kits: Keys) -> Keys:
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


def _find(connection: Connection, query: str, identifiers: Sequence[str]) -> Keys:
    asked = np.array(identifiers, dtype=np.bytes_)
    order = np.argsort(asked, kind="stable")
    asked = asked[order]
    names, packed = _cursor(connection).execute(query, (b",".join(asked.tolist()).decode("ascii"),)).fetchone()
    keys = np.zeros(len(asked), dtype=np.int64)
    if names is not None:
        known = np.array(names.encode("ascii").split(b","), dtype=np.bytes_)
        at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
        found = known[at] == asked
        keys[order[found]] = np.frombuffer(packed, dtype=">i8")[at[found]]
    return keys


def _cursor(connection: Connection) -> Any:  # noqa: ANN401  # the driver's own cursor: no object per row but the tuple
    return connection.connection.cursor(binary=True)
