"""What is held, by whom, and what could be claimed."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, RowMapping, text

_PROJECT = text("select key from project where public_id = :project_id and organization_key = :organization")
_HELD = """
    select device.key, coalesce(device.shown_id, device.device_id) as device_id, device.device_type,
        device.product_number, coalesce(kit.shown_id, kit.kit_id) as kit_id, kit.name as kit_name,
        coalesce(device.shown_serial, device.serial_number) as serial_number, device.prepaid_months,
        claim.claimed_at, batch.public_id as batch_id, project.public_id as project_id,
        coalesce(subscription.state, 'scheduled') as subscription_state,
        coalesce(subscription.activate_at, batch.activate_at) as activate_at,
        subscription.starts_at, subscription.ends_at
    from claim
    join device on device.key = claim.device_key
    join project on project.key = claim.project_key
    left join kit on kit.key = device.kit_key
    left join batch on batch.key = claim.batch_key
    left join subscription on subscription.device_key = claim.device_key
"""
_OF_PROJECT = text(
    _HELD + " where claim.project_key = :project and claim.device_key > :after order by claim.device_key limit :limit"
)
_OF_ORGANIZATION = text(
    _HELD
    + " where device.device_id = :device_id and project.organization_key = :organization"
    + " and (cast(:visible as bigint[]) is null or project.key = any(:visible))"
)

_KNOWN = """
    select device.key, coalesce(device.shown_id, device.device_id) as device_id, device.device_type,
        device.product_number, device.prepaid_months, device.code_hash, device.serial_number as compared_serial,
        coalesce(device.shown_serial, device.serial_number) as serial_number,
        coalesce(kit.shown_id, kit.kit_id) as kit_id, kit.name as kit_name,
        claim.device_key is not null as held,
        project.key is not null as yours
    from device
    left join kit on kit.key = device.kit_key
    left join claim on claim.device_key = device.key
    left join project on project.key = claim.project_key and project.organization_key = :organization
        and (cast(:visible as bigint[]) is null or project.key = any(:visible))
"""
_DEVICE = text(_KNOWN + " where device.device_id = :identifier")
_SERIAL = text(_KNOWN + " where device.serial_number = :identifier")
_KIT = text(
    "select coalesce(asked.shown_id, asked.kit_id) as kit_id, asked.name as kit_name, count(known.key) as devices, "
    "count(*) filter (where known.held) as claimed, count(*) filter (where known.yours) as already_yours, "
    "count(*) filter (where not known.held and known.prepaid_months > 0) as claimable, "
    "array_agg(distinct known.device_type) as device_types, "
    "array_agg(distinct known.product_number) as product_numbers, "
    "array_agg(distinct known.prepaid_months) as prepaid_months "
    "from kit asked left join lateral (" + _KNOWN + " where device.kit_key = asked.key) known on true "
    "where asked.kit_id = :identifier group by asked.key"
)


def find_project(connection: Connection, organization: int, project_id: str) -> int | None:
    """The key of an organization's project."""
    values = {"organization": organization, "project_id": project_id}
    return connection.execute(_PROJECT, values).scalar_one_or_none()


def fetch_held(connection: Connection, project: int, after: int, limit: int) -> Sequence[RowMapping]:
    """The devices that a project holds, in order of their keys, from the first key beyond `after` on."""
    values = {"project": project, "after": after, "limit": limit}
    return connection.execute(_OF_PROJECT, values).mappings().all()


def find_held(
    connection: Connection, organization: int, visible: Collection[int] | None, device_id: str
) -> RowMapping | None:
    """A device held by one of the visible projects; `visible` None: all of the organization's."""
    values = {"organization": organization, "visible": _array(visible), "device_id": device_id}
    return connection.execute(_OF_ORGANIZATION, values).mappings().one_or_none()


def find_device(
    connection: Connection, organization: int, visible: Collection[int] | None, device_id: str
) -> RowMapping | None:
    """Any device, and whether it is held, and by a visible project (`yours`)."""
    values = {"organization": organization, "visible": _array(visible), "identifier": device_id}
    return connection.execute(_DEVICE, values).mappings().one_or_none()


def find_serial(
    connection: Connection, organization: int, visible: Collection[int] | None, serial_number: str
) -> RowMapping | None:
    """As `find_device`, by its serial number."""
    values = {"organization": organization, "visible": _array(visible), "identifier": serial_number}
    return connection.execute(_SERIAL, values).mappings().one_or_none()


def find_kit(
    connection: Connection, organization: int, visible: Collection[int] | None, kit_id: str
) -> RowMapping | None:
    """A kit, how many devices it has, and how many of them are held or can be claimed."""
    values = {"organization": organization, "visible": _array(visible), "identifier": kit_id}
    return connection.execute(_KIT, values).mappings().one_or_none()


def _array(keys: Collection[int] | None) -> list[int] | None:
    return None if keys is None else sorted(keys)
