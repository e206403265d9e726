"""Subscriptions as the database has them, and someone who wants to hear of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from tests.claims import Sender
from worker.runtime import Runtime


@dataclass(frozen=True)
class Period:
    """The subscription of one device."""

    state: str
    activate_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    reminded: int


def periods(runtime: Runtime) -> dict[str, Period]:
    """Every subscription that has a row of its own, by device ID."""
    query = text("""
        select d.device_id, s.state, s.activate_at, s.starts_at, s.ends_at, s.reminded
        from subscription s join device d on d.key = s.device_key""")
    with runtime.transaction() as connection:
        return {row[0]: Period(*row[1:]) for row in connection.execute(query)}


def plan(runtime: Runtime, device_id: str, later: timedelta) -> None:
    """Plan one device for `later` than now, as a change of plan does."""
    query = text("""
        insert into subscription (device_key, state, activate_at)
        select key, 'scheduled', business_now() + :later from device where device_id = :device
        on conflict (device_key) do update set activate_at = excluded.activate_at
        where subscription.state = 'scheduled'""")
    with runtime.transaction() as connection:
        connection.execute(query, {"device": device_id, "later": later})


def listen(runtime: Runtime, sender: Sender) -> None:
    """Have an endpoint that wants to know of every subscription."""
    query = text("""
        insert into endpoint (public_id, organization_key, kind, target, events)
        select 'end_' || gen_random_uuid(), :organization, 'email', 'people@example.com',
            array['subscriptions.activated', 'subscriptions.expiring']""")
    with runtime.transaction() as connection:
        connection.execute(query, {"organization": sender.principal.organization_key})


def told(runtime: Runtime) -> list[dict[str, Any]]:
    """What events have said so far, oldest first."""
    with runtime.transaction() as connection:
        return list(connection.execute(text("select data from event order by key")).scalars())


def moment(runtime: Runtime, query: str) -> datetime:
    """The answer to a query for one time."""
    with runtime.transaction() as connection:
        found: datetime = connection.execute(text(query)).scalar_one()
        return found
