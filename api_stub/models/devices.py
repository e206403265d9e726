"""Devices, kits and the inventory on the wire."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from api_stub.models.base import Page, Wire
from worker.states import SubscriptionState

CLAIM_INFO: Final[dict[str, Any]] = {
    "identifier": "KIT-25-0042",
    "kind": "kit",
    "kit_id": "KIT-25-0042",
    "kit_name": "Office floor",
    "device_type": "temperature",
    "product_number": "100243",
    "prepaid_months": 60,
    "devices": 25,
    "claimable": 24,
    "claimed": 1,
    "already_yours": 1,
}
DEVICE: Final[dict[str, Any]] = {
    "device_id": "SNS-000001",
    "device_type": "temperature",
    "product_number": "100243",
    "kit_id": "KIT-25-0042",
    "kit_name": "Office floor",
    "serial_number": None,
    "prepaid_months": 60,
    "project_id": "prj_k3v7m2xqa5wn4tfy6rhc",
    "claimed_at": "2026-11-21T09:30:00.412000Z",
    "batch_id": "bat_5n2kq7vhx3mfa6wr4tcy",
    "subscription": {
        "state": "active",
        "prepaid_months": 60,
        "activate_at": "2026-11-21T09:45:00.412000Z",
        "starts_at": "2026-11-21T09:45:00.412000Z",
        "ends_at": "2031-11-21T09:45:00.412000Z",
    },
}


class Question(Wire):
    """Which kit or device."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"identifier": "KIT-25-0042"}]}
    )

    identifier: Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")] = Field(
        description="A kit ID, a device ID or the text of a QR code."
    )


class ClaimInfo(Wire):
    """What an identifier leads to, and how many of it can be claimed."""

    identifier: str = Field(description="As it was asked for; claim codes are `***`.")
    kind: Literal["device", "kit"]
    device_type: str | None
    product_number: str | None
    prepaid_months: int | None = Field(description="Null if the devices of the kit differ.")
    kit_id: str | None
    kit_name: str | None
    devices: int
    claimable: int = Field(description="Held by nobody, and with a prepaid subscription.")
    claimed: int = Field(description="Held by anyone.")
    already_yours: int = Field(description="Held by projects that the token may see.")


class Subscription(Wire):
    """The prepaid time of a device."""

    state: SubscriptionState
    prepaid_months: int
    activate_at: datetime | None = Field(description="Null until the batch that claims the device has ended.")
    starts_at: datetime | None = Field(description="Null while it is scheduled.")
    ends_at: datetime | None


class Device(Wire):
    """One device that is held."""

    device_id: str
    claimed_at: datetime
    batch_id: str
    subscription: Subscription


class DevicePage(Page):
    """Devices in order of their IDs."""

    items: list[Device]


class Imported(Wire):
    """What an import added."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"devices_new": 1000, "devices_unchanged": 0, "kits_new": 40}]},
    )

    devices_new: int
    devices_unchanged: int
    kits_new: int
