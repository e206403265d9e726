"""The made-up goods and the order: the same every time, and fit to be imported."""

import csv
import io
from itertools import pairwise

from worker.demo.goods import DEVICES, KIT_SIZE, KITS, Lot, devices_of
from worker.demo.order import HEADER, order
from worker.intake import normalise
from worker.inventory import import_inventory
from worker.inventory.importer import ImportReport
from worker.runtime import Runtime


def test_a_lot_is_imported_whole_and_a_second_time_changes_nothing(runtime: Runtime) -> None:
    assert import_inventory(runtime, Lot(1).inventory()) == ImportReport(DEVICES, 0, KITS)
    assert import_inventory(runtime, Lot(1).inventory()) == ImportReport(0, DEVICES, 0)
    assert import_inventory(runtime, Lot(2).inventory()) == ImportReport(DEVICES, 0, KITS)


def test_every_kit_has_its_own_25_devices() -> None:
    assert [len(devices_of(kit)) for kit in range(1, KITS + 1)] == [KIT_SIZE] * KITS
    assert all(devices_of(kit)[-1] + 1 == devices_of(after)[0] for kit, after in pairwise(range(1, KITS + 1)))
    assert (devices_of(1)[0], devices_of(KITS)[-1]) == (1, DEVICES)


def test_the_order_is_the_same_every_time_and_has_what_people_send() -> None:
    body = order(Lot(1))
    assert body == order(Lot(1))
    assert body.startswith(b"\xef\xbb\xbfDevice ID,")
    header, *rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""))
    assert tuple(header) == HEADER
    cells = {cell for row in rows for cell in row[:4]}
    assert {"1.23E+19", "***", "SNS-O1-O1742", " sns-01-01501 ", "KIT-01-001", "KIT-01-999"} <= cells
    devices = [name for row in rows if isinstance(name := normalise(row[0]), str)]
    assert len(devices) > len(set(devices))


def test_codes_differ_from_device_to_device_and_from_lot_to_lot() -> None:
    codes = {Lot(lot).claim_code(device) for lot in (1, 2) for device in range(1, DEVICES + 1)}
    assert len(codes) == 2 * DEVICES
