"""When subscriptions are to start, where that differs from what their batch has planned."""

import numpy as np
from sqlalchemy import Connection, text

from worker.queries.claims import Keys

# The claims are locked first, as whoever gives them back locks them. What has started is left as it is.
_SCHEDULE = text("""
    with held as materialized (
        select device_key from claim where device_key = any((select :keys)::bigint[]) and project_key = :project
        order by device_key for key share
    )
    insert into subscription (device_key, state, activate_at)
    select device_key, 'scheduled', (
        select greatest(business_now(), b.activate_on::timestamp at time zone o.time_zone)
        from batch b join organization o on o.key = b.organization_key where b.key = :batch)
    from held order by device_key
    on conflict (device_key) do update set activate_at = excluded.activate_at where subscription.state = 'scheduled'
    returning device_key""")
_STARTED = text("""
    select device_key from subscription
    where device_key = any((select :keys)::bigint[]) and state <> 'scheduled' order by device_key""")
# By the key alone, lest the planner read all that is scheduled; a trigger refuses to forget what has started.
_FORGET = text("delete from subscription where device_key = any((select :keys)::bigint[])")


def schedule_held(connection: Connection, project: int, batch: int, keys: Keys) -> Keys:
    """Have those of the devices that the project holds start when the batch says, unless they have started.

    Returns the keys that are scheduled now, ascending.
    """
    values = {"project": project, "batch": batch, "keys": keys}
    return np.sort(np.array(connection.execute(_SCHEDULE, values).scalars().all(), dtype=np.int64))


def find_started(connection: Connection, keys: Keys) -> Keys:
    """Those of the devices whose subscription is running or over, ascending."""
    return np.array(connection.execute(_STARTED, {"keys": keys}).scalars().all(), dtype=np.int64)


def forget_scheduled(connection: Connection, keys: Keys) -> None:
    """Drop the plans of devices that are given back; none of them has started."""
    connection.execute(_FORGET, {"keys": keys})
