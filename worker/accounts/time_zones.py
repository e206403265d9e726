"""What may be the time zone of an organization."""

from typing import Final
from zoneinfo import available_timezones

from sqlalchemy import Connection

from worker.errors import Invalid
from worker.queries.calendar import knows_time_zone

UTC: Final = "UTC"


def checked_time_zone(connection: Connection, name: str) -> str:
    """`name`, if both this program and the database know it as an IANA time zone.

    Raises:
        Invalid: one of them does not.
    """
    if name == UTC or (name in available_timezones() and knows_time_zone(connection, name)):
        return name
    raise Invalid("A time zone is given by its IANA name, such as Europe/Oslo.", parameter="time_zone")
