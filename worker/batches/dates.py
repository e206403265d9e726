"""The day on which prepaid time is asked to start."""

from datetime import date

from sqlalchemy import Connection

from worker.errors import Invalid
from worker.queries.calendar import find_activation_days


def check_activation_date(
    connection: Connection, organization_key: int, day: date, parameter: str = "activate_on"
) -> None:
    """Refuse a day before today, or more than 24 months ahead, in the organization's time zone.

    Raises:
        Invalid: it is one.
    """
    days = find_activation_days(connection, organization_key)
    if not days.first <= day <= days.last:
        raise Invalid(f"{parameter} is a day from {days.first} to {days.last}.", parameter=parameter)
