"""Prepaid time on the wire: what it adds up to, and device by device."""

from datetime import datetime
from typing import Any, Final

from pydantic import Field

from api_stub.models.base import Page, Wire
from worker.states import SubscriptionState

_COUNTS: Final[dict[str, Any]] = {
    "states": {"scheduled": 25, "active": 100, "expired": 3},
    "planned": {"2026-12": 25},
    "starts": {"2025-10": 3, "2026-11": 100},
    "ends": {"2026-10": 3, "2031-11": 100},
}
COUNTS: Final[dict[str, Any]] = {
    "organization_id": "org_7wq4k2m6xv5tn3hfyc2a",
    "time_zone": "Europe/Oslo",
    "at": "2026-11-21T09:30:00.412000Z",
    **_COUNTS,
    "projects": [{"project_id": "prj_k3v7m2xqa5wn4tfy6rhc", "name": "Roofs", **_COUNTS}],
}


class Counts(Wire):
    """Devices by state and by month, as `2026-11` in the organization's time zone."""

    states: dict[SubscriptionState, int]
    planned: dict[str, int] = Field(description="What is scheduled, by the month in which it will start; once known.")
    starts: dict[str, int] = Field(description="What has started, by the month in which it did.")
    ends: dict[str, int] = Field(description="What has started, by the month of its end.")


class ProjectCounts(Counts):
    """Those of one project."""

    project_id: str
    name: str


class SubscriptionCounts(Counts):
    """Those of an organization: of its projects that the token may see."""

    organization_id: str
    time_zone: str
    at: datetime
    projects: list[ProjectCounts]


class DeviceSubscription(Wire):
    """The prepaid time of one device, and where it belongs."""

    device_id: str
    project_id: str
    batch_id: str
    state: SubscriptionState
    prepaid_months: int
    claimed_at: datetime
    activate_at: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None


class SubscriptionPage(Page):
    """Devices by project."""

    items: list[DeviceSubscription]
