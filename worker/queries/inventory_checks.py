"""What can be wrong between the staged lines of an inventory file, and between them and the inventory."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

_CREATE_CONFLICT = text("create temporary table conflict (line int, detail text) on commit drop")
_REPEATED = """
    select later.line, format('device %s is in line %s too, with other data', later.device_id, first.line)
    from staged later join incoming first using (device_id)
    where later.line <> first.line
    and (later.shown_id, later.device_type, later.product_number, later.kit_id, later.shown_kit, later.kit_name,
        later.serial_number, later.shown_serial, later.code_hash, later.prepaid_months)
    is distinct from
        (first.shown_id, first.device_type, first.product_number, first.kit_id, first.shown_kit, first.kit_name,
        first.serial_number, first.shown_serial, first.code_hash, first.prepaid_months)"""
_DEVICE_DIFFERS = """
    select incoming.line, format('device %s is in the inventory with other data', incoming.device_id)
    from incoming join device on device.key = incoming.device_key left join kit on kit.key = device.kit_key
    where (incoming.shown_id, incoming.device_type, incoming.product_number, incoming.kit_id,
        incoming.serial_number, incoming.shown_serial, incoming.code_hash, incoming.prepaid_months)
    is distinct from (device.shown_id, device.device_type, device.product_number, kit.kit_id,
        device.serial_number, device.shown_serial, device.code_hash, device.prepaid_months)"""
_KIT_DIFFERS_IN_FILE = """
    select incoming.line, format('kit %s is in line %s too, under another name or spelling',
        incoming.kit_id, first.line)
    from incoming join incoming_kit first using (kit_id)
    where (incoming.shown_kit, incoming.kit_name) is distinct from (first.shown_kit, first.kit_name)"""
_KIT_DIFFERS = """
    select incoming_kit.line, format('kit %s is in the inventory under another name or spelling', kit.kit_id)
    from incoming_kit join kit on kit.key = incoming_kit.kit_key
    where (incoming_kit.shown_kit, incoming_kit.kit_name) is distinct from (kit.shown_id, kit.name)"""
# The rest looks at what is new only: a known device that is as it was contradicts nothing, and one that is
# not has been found above.
_DEVICE_IS_KIT_IN_FILE = """
    select incoming.line, format('device %s is a kit in line %s', incoming.device_id, incoming_kit.line)
    from incoming join incoming_kit on incoming_kit.kit_id = incoming.device_id
    where incoming.device_key is null"""
_DEVICE_IS_KIT = """
    select incoming.line, format('device %s is a kit in the inventory', incoming.device_id)
    from incoming join kit on kit.kit_id = incoming.device_id
    where incoming.device_key is null"""
_KIT_IS_DEVICE = """
    select incoming_kit.line, format('kit %s is a device in the inventory', incoming_kit.kit_id)
    from incoming_kit join device on device.device_id = incoming_kit.kit_id
    where incoming_kit.kit_key is null"""
_SERIAL_TWICE_IN_FILE = """
    select incoming.line, format('serial number %s is in line %s too, for another device',
        incoming.serial_number, repeated.line)
    from incoming join (
        select serial_number, min(line) as line from incoming
        where serial_number is not null and device_key is null group by serial_number having count(*) > 1
    ) repeated using (serial_number)
    where incoming.line <> repeated.line and incoming.device_key is null"""
_SERIAL_TAKEN = """
    select incoming.line, format('serial number %s is in the inventory for another device',
        incoming.serial_number)
    from incoming join device on device.serial_number = incoming.serial_number
    where incoming.device_key is null"""
_KIT_TOO_LARGE = """
    select incoming_kit.line, format('kit %s would have %s devices, more than 100',
        incoming_kit.kit_id, added.devices + known.devices)
    from incoming_kit
    join (select kit_id, count(*) as devices from incoming where device_key is null group by kit_id) added
        using (kit_id)
    cross join lateral (
        select count(*) as devices from device where device.kit_key = incoming_kit.kit_key) known
    where added.devices + known.devices > 100"""
_CHECKS = [
    text("insert into conflict" + check)
    for check in (
        _REPEATED,
        _DEVICE_DIFFERS,
        _KIT_DIFFERS_IN_FILE,
        _KIT_DIFFERS,
        _DEVICE_IS_KIT_IN_FILE,
        _DEVICE_IS_KIT,
        _KIT_IS_DEVICE,
        _SERIAL_TWICE_IN_FILE,
        _SERIAL_TAKEN,
        _KIT_TOO_LARGE,
    )
]
_COUNT_CONFLICTS = text("select count(distinct line) from conflict")
_CONFLICTS = text("select line, min(detail) as detail from conflict group by line order by line limit :limit")


def collect_conflicts(connection: Connection) -> int:
    """Run every check over the staged lines; returns the number of lines that cannot be used."""
    connection.execute(_CREATE_CONFLICT)
    if not sum(connection.execute(check).rowcount for check in _CHECKS):
        return 0
    return int(connection.execute(_COUNT_CONFLICTS).scalar_one())


def fetch_conflicts(connection: Connection, limit: int) -> Sequence[tuple[int, str]]:
    """The first lines that cannot be used, each with what is wrong with it."""
    return [(row.line, row.detail) for row in connection.execute(_CONFLICTS, {"limit": limit})]
