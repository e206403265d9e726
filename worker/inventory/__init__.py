"""All devices and kits that were manufactured: importing them, and looking them up."""

from worker.errors import ImportConflicts
from worker.inventory.importer import ImportReport, import_inventory

__all__ = ["ImportConflicts", "ImportReport", "import_inventory"]
