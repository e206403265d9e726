"""Results on the wire."""

from typing import Any, Final

from pydantic import ConfigDict, Field

from api_stub.models.base import Page, Wire
from worker.states import Outcome

EXAMPLE: Final[dict[str, Any]] = {
    "row": 3,
    "line": 4,
    "input": {"Device ID": "SNS-000003", "Room": "2.17"},
    "outcome": "not_found",
    "device_id": None,
    "kit_id": None,
    "serial_number": None,
    "detail": "There is no such device or kit.",
    "hint": "Compare the identifier with the label on the device.",
    "duplicate_of_row": None,
    "preview_outcome": None,
}


class Result(Wire):
    """What became of one device of one row."""

    row: int = Field(description="Numbered from 1, without blank lines and the header.")
    line: int | None = Field(description="The physical line of the file; null for JSON and without the input.")
    input: dict[str, Any] | None = Field(
        description="The row as it was sent; claim codes are `***`. Null once the input is no longer kept."
    )
    outcome: Outcome
    device_id: str | None
    kit_id: str | None
    serial_number: str | None
    detail: str | None
    hint: str | None
    duplicate_of_row: int | None
    preview_outcome: Outcome | None = Field(description="After a confirmation: what the preview had said.")


class ResultPage(Page):
    """Results in order of row, then device."""

    items: list[Result]


class KitRow(Wire):
    """What became of the devices of one kit row."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"row": 1, "kit_id": "KIT-25-0042", "devices": 25, "outcomes": {"claimed": 25}}]
        },
    )

    row: int
    kit_id: str | None = Field(description="Null if there is no such kit and the input is no longer kept.")
    devices: int
    outcomes: dict[Outcome, int]


class SigningKey(Wire):
    """With what anyone can check a manifest."""

    algorithm: str = Field(examples=["Ed25519"])
    key_id: str = Field(description="The first 32 hexadecimal digits of the key's SHA-256.")
    public_key: str = Field(description="32 bytes in base64.")


class KitPage(Page):
    """Kit rows in the order of the input."""

    items: list[KitRow]
