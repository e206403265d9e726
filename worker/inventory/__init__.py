"""All devices and kits that were manufactured: importing them, looking them up, and who holds them."""

from worker.errors import ImportConflicts
from worker.inventory.claim_info import claim_info
from worker.inventory.holdings import device, project_devices
from worker.inventory.importer import ImportReport, import_inventory

__all__ = [
    "ImportConflicts",
    "ImportReport",
    "claim_info",
    "device",
    "import_inventory",
    "project_devices",
]
