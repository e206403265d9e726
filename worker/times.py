"""Times as documents show them."""

from datetime import UTC, datetime


def rfc3339(moment: datetime | None) -> str | None:
    """The moment in UTC with microseconds, e.g. `2026-11-21T19:12:00.000000Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
