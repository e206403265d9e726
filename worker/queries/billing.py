"""What prepaid time adds up to, and which device has which."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, text

from worker.states import SubscriptionState

_CLOCK = text("select business_now() as at, time_zone from organization where key = :organization")
_PROJECTS = text("""
    select key, public_id as project_id, name from project
    where organization_key = :organization and (cast(:visible as bigint[]) is null or key = any(:visible))
      and (cast(:project_id as text) is null or public_id = :project_id)
    order by key""")
_COUNTS = text("""
    select c.project_key, coalesce(s.state, 'scheduled') as state,
        date_trunc('month', coalesce(s.starts_at, s.activate_at, b.activate_at) at time zone :zone)::date as starts,
        date_trunc('month', s.ends_at at time zone :zone)::date as ends, count(*) as devices
    from claim c left join subscription s on s.device_key = c.device_key left join batch b on b.key = c.batch_key
    where c.project_key = any((select :projects)::bigint[])
    group by 1, 2, 3, 4 order by 1, 2, 3, 4""")
# Project by project along the index; each look-up ends in a limit, so that none reads further than the page.
_DEVICES = text("""
    select found.* from unnest((select :projects)::bigint[]) as wanted (project_key)
    cross join lateral (
        select c.project_key, c.device_key, coalesce(d.shown_id, d.device_id) as device_id,
            p.public_id as project_id, b.public_id as batch_id, coalesce(s.state, 'scheduled') as state,
            d.prepaid_months, c.claimed_at, coalesce(s.activate_at, b.activate_at) as activate_at,
            s.starts_at, s.ends_at
        from claim c join device d on d.key = c.device_key join project p on p.key = c.project_key
        left join batch b on b.key = c.batch_key left join subscription s on s.device_key = c.device_key
        where c.project_key = wanted.project_key
          and c.device_key > case when c.project_key = :project then :device else 0 end
          and (cast(:state as text) is null or coalesce(s.state, 'scheduled') = :state)
          and (cast(:ends_before as timestamptz) is null or s.ends_at < :ends_before)
        order by c.device_key limit :limit) as found
    order by found.project_key, found.device_key limit :limit""")


@dataclass(frozen=True)
class Wanted:
    """Which devices: of these projects (ascending keys), after the last one seen, in one state, ending before then."""

    projects: Sequence[int]
    after: tuple[int, int] = (0, 0)
    state: SubscriptionState | None = None
    ends_before: datetime | None = None


def read_clock(connection: Connection, organization: int) -> Row[Any]:
    """What the time is (`at`), and in which `time_zone` the organization lives."""
    return connection.execute(_CLOCK, {"organization": organization}).one()


def fetch_projects(
    connection: Connection, organization: int, visible: Collection[int] | None, project_id: str | None = None
) -> Sequence[Row[Any]]:
    """The visible projects, or one of them; `visible` None: all of the organization's."""
    values = {
        "organization": organization,
        "visible": None if visible is None else sorted(visible),
        "project_id": project_id,
    }
    return connection.execute(_PROJECTS, values).all()


def count_subscriptions(connection: Connection, projects: Sequence[int], zone: str) -> Sequence[Row[Any]]:
    """Devices by project, state, month of the (planned) start and month of the end, as first days in `zone`."""
    return connection.execute(_COUNTS, {"projects": list(projects), "zone": zone}).all()


def fetch_subscriptions(connection: Connection, wanted: Wanted, limit: int) -> Sequence[RowMapping]:
    """The next devices in the order of project and key, with their prepaid time."""
    project, device = wanted.after
    values = {
        "projects": [key for key in wanted.projects if key >= project],
        "project": project,
        "device": device,
        "state": wanted.state,
        "ends_before": wanted.ends_before,
        "limit": limit,
    }
    return connection.execute(_DEVICES, values).mappings().all()
