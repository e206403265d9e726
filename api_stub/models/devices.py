"""Devices, kits and the inventory on the wire."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from api_stub.models.base import Page, Wire

DEVICE: Final[dict[str, Any]] = {
    "device_id": "SNS-000001",
    "device_type": "temperature",
    "kit_id": "KIT-25-0042",
    "serial_number": "7701234",
    "project_id": "prj_k3v7m2xqa5wn4tfy6rhc",
    "claimed_at": "2026-11-21T09:30:00.000000Z",
    "batch_id": "bat_5n2kq7vhx3mfa6wr4tcy",
}


class Question(Wire):
    """Which kit or device."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": {"identifier": "KIT-25-0042"}})

    identifier: Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")] = Field(
        description="A kit ID, a device ID or the text of a QR code."
    )


class ClaimInfo(Wire):
    """What an identifier leads to, and how many of it can be claimed."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"example": {"kind": "kit", "kit_id": "KIT-25-0042", "devices": 25, "claimable": 24}},
    )


class Device(Wire):
    """One device that is held."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": DEVICE})

    device_id: str
    claimed_at: datetime | None
    batch_id: str | None


class DevicePage(Page):
    """Devices in order of their IDs."""

    items: list[Device]


class Imported(Wire):
    """What an import added."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"example": {"devices_new": 1000, "devices_unchanged": 0, "kits_new": 40}},
    )

    devices_new: int
    devices_unchanged: int
    kits_new: int
