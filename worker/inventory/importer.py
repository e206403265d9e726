"""Importing an inventory file: all of it or nothing."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from worker.inventory.conflicts import MAX_LISTED, Conflicts
from worker.inventory.lines import stage
from worker.inventory.table import read_parts, spooled
from worker.queries import inventory, inventory_checks
from worker.runtime import Runtime

_log = logging.getLogger(__name__)
# Fewer new rows do not change the way in which the inventory is read: autovacuum is soon enough.
VACUUM_FROM: Final = 1_000


@dataclass(frozen=True)
class ImportReport:
    """What an import has done; a device that the file repeats counts once."""

    devices_new: int
    devices_unchanged: int
    kits_new: int


def import_inventory(runtime: Runtime, source: Iterable[bytes]) -> ImportReport:
    """Add the devices and kits of a CSV file to the inventory; the same file again changes nothing.

    Holds no connection while `source` is read. Imports at the same time take turns.

    Raises:
        ImportConflicts: nothing was imported; `errors` lists the first lines that cannot be used.
    """
    with spooled(source) as file, runtime.transaction() as connection:
        report = _import(runtime, connection, file)
    if report.devices_new >= VACUUM_FROM:
        _vacuum(runtime)
    return report


def _import(runtime: Runtime, connection: Connection, file: IO[bytes]) -> ImportReport:
    conflicts = Conflicts()
    inventory.begin_import(connection)
    inventory.stage_lines(connection, _staged(runtime, file, conflicts))
    devices = inventory.match_lines(connection)
    total = inventory_checks.collect_conflicts(connection)
    conflicts.add(inventory_checks.fetch_conflicts(connection, MAX_LISTED), total)
    conflicts.refuse()
    kits_new = inventory.insert_kits(connection)
    devices_new = inventory.insert_devices(connection)
    return ImportReport(devices_new, devices - devices_new, kits_new)


def _staged(runtime: Runtime, file: IO[bytes], conflicts: Conflicts) -> Iterator[str]:
    for part in read_parts(file):
        staged = stage(part, runtime.keys)
        conflicts.add(staged.problems)
        yield staged.text


def _vacuum(runtime: Runtime) -> None:
    """The import is committed: whatever happens here, it has succeeded."""
    try:
        with runtime.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            inventory.vacuum_inventory(connection)
    except DBAPIError as error:
        _log.warning("the inventory could not be vacuumed: %s", error.orig)
