"""Rows that want to start on another day than the rest of their batch."""

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

_SCHEDULE = text("""
    with wish as materialized (
        select unnest((select :devices)::bigint[]) as device_key, unnest((select :days)::bigint[])::int as day
    ), moment as materialized (
        select day, greatest(b.hold_until, (date '1970-01-01' + day)::timestamp at time zone o.time_zone) as activate_at
        from (select distinct day from wish) as days, batch b join organization o on o.key = b.organization_key
        where b.key = :batch
    )
    insert into subscription (device_key, state, activate_at)
    select device_key, 'scheduled', activate_at from wish join moment using (day)
    where activate_at <> (select activate_at from batch where key = :batch)
    order by device_key on conflict do nothing""")


def schedule_devices(
    connection: Connection, batch: int, devices: npt.NDArray[np.int64], days: npt.NDArray[np.int32]
) -> int:
    """Let devices of a batch that has ended start on days of their own, given in days since 1970.

    A day begins at its midnight in the organization's time zone, or where there is none, at the first moment after;
    no device starts before the hold window is over. Returns how many differ from their batch.
    """
    return connection.execute(_SCHEDULE, {"batch": batch, "devices": devices, "days": days}).rowcount
