"""Days of an organization's time zone."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, text

_FROM_TODAY = text("""
    select today as first, (today + interval '24 months')::date as last
    from (select (business_now() at time zone time_zone)::date as today
          from organization where key = :organization) as now""")
_FROM_ACCEPTANCE = text("""
    select accepted_on as first, (accepted_on + interval '24 months')::date as last from batch where key = :batch""")
_KNOWS_ZONE = text("select exists (select from pg_timezone_names where name = :name)")


class Days(NamedTuple):
    """A first and a last day, both included."""

    first: date
    last: date


def find_activation_days(connection: Connection, organization: int) -> Days:
    """On which days a subscription can be asked to start from now on: today, and up to 24 months ahead."""
    return Days(*connection.execute(_FROM_TODAY, {"organization": organization}).one())


def find_activation_days_of_batch(connection: Connection, batch: int) -> Days:
    """The same as it was when the batch was accepted: however late it is worked on, its rows mean the same."""
    return Days(*connection.execute(_FROM_ACCEPTANCE, {"batch": batch}).one())


def knows_time_zone(connection: Connection, name: str) -> bool:
    """Whether the database has this time zone. Slow: it reads all of them."""
    return bool(connection.execute(_KNOWS_ZONE, {"name": name}).scalar_one())
