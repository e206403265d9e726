"""Importing inventory: lines are staged by COPY, checked as sets, and inserted in the order of their identifiers."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

# Two imports take turns.
IMPORT_LOCK = 4_715_533_003

_PREPARE = text("""
    select pg_advisory_xact_lock(:lock), set_config('work_mem', '64MB', true), set_config('jit', 'off', true)""")
_CREATE_STAGED = text("""
    create temporary table staged (
        line int not null,
        device_id text collate "C" not null,
        shown_id text,
        device_type text,
        product_number text,
        kit_id text collate "C",
        shown_kit text,
        kit_name text,
        serial_number text collate "C",
        shown_serial text,
        code_hash bytea,
        prepaid_months smallint not null
    ) on commit drop""")
_COPY = "copy staged from stdin (format text, null '')"
_ANALYZE_STAGED = text("analyze staged")
_CREATE_INCOMING = text("""
    create temporary table incoming on commit drop as
    select distinct on (staged.device_id) staged.*, device.key as device_key
    from staged left join device on device.device_id = staged.device_id
    order by staged.device_id, staged.line""")
_CREATE_INCOMING_KIT = text("""
    create temporary table incoming_kit on commit drop as
    select distinct on (incoming.kit_id)
        incoming.kit_id, incoming.shown_kit, incoming.kit_name, incoming.line, kit.key as kit_key
    from incoming left join kit on kit.kit_id = incoming.kit_id
    where incoming.kit_id is not null
    order by incoming.kit_id, incoming.line""")
_ANALYZE_INCOMING = text("analyze incoming, incoming_kit")
_INSERT_KITS = text("""
    insert into kit (kit_id, shown_id, name)
    select kit_id, shown_kit, kit_name from incoming_kit where kit_key is null order by kit_id""")
_INSERT_DEVICES = text("""
    insert into device (device_id, shown_id, device_type, product_number, kit_key, serial_number,
        shown_serial, code_hash, prepaid_months)
    select incoming.device_id, incoming.shown_id, incoming.device_type, incoming.product_number, kit.key,
        incoming.serial_number, incoming.shown_serial, incoming.code_hash, incoming.prepaid_months
    from incoming left join kit on kit.kit_id = incoming.kit_id
    where incoming.device_key is null order by incoming.device_id""")
_VACUUM = text("vacuum (analyze) device, kit")


def begin_import(connection: Connection) -> None:
    """Wait for other imports to end, and make the staging table, which lives as long as the transaction."""
    connection.execute(_PREPARE, {"lock": IMPORT_LOCK})
    connection.execute(_CREATE_STAGED)


def stage_lines(connection: Connection, parts: Iterable[str]) -> None:
    """COPY all parts, each of them whole lines of PostgreSQL's text format, where empty cells are null."""
    with connection.connection.cursor().copy(_COPY) as copy:
        for part in parts:
            copy.write(part)


def match_lines(connection: Connection) -> int:
    """Find out which devices and kits are known; returns the number of devices, each counted once."""
    connection.execute(_ANALYZE_STAGED)
    devices = connection.execute(_CREATE_INCOMING).rowcount
    connection.execute(_CREATE_INCOMING_KIT)
    connection.execute(_ANALYZE_INCOMING)
    return devices


def insert_kits(connection: Connection) -> int:
    """Insert the kits that are not known yet; returns how many."""
    return connection.execute(_INSERT_KITS).rowcount


def insert_devices(connection: Connection) -> int:
    """Insert the devices that are not known yet, after their kits; returns how many."""
    return connection.execute(_INSERT_DEVICES).rowcount


def vacuum_inventory(connection: Connection) -> None:
    """Let lookups be answered by the indexes alone; `connection` must not be in a transaction."""
    connection.execute(_VACUUM)
