"""What a result is called in plain English, and what to do about it."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from worker.intake import hint_for_reason
from worker.states import Outcome, Reason

_DETAILS: Final = MappingProxyType(
    {
        Outcome.CLAIMED: "Claimed for the project.",
        Outcome.CLAIMABLE: "Would be claimed for the project.",
        Outcome.ALREADY_YOURS: "The project held it already.",
        Outcome.ALREADY_CLAIMED: "Held by {holder}.",
        Outcome.NOT_CLAIMABLE: "Nobody holds it, but it carries no prepaid subscription.",
        Outcome.NOT_FOUND: (
            "There is no such device or kit, or the serial number and the claim code do not open a device."
        ),
        Outcome.DUPLICATE: "The same device as row {row}{in_kit}.",
        Outcome.INVALID_IDENTIFIER: "This cannot be an identifier.",
        Outcome.NOT_PROCESSED: "The batch was cancelled or rejected before this was claimed.",
        Outcome.RELEASED: "Given back; its subscription had not started.",
        Outcome.NOT_YOURS: "The project does not hold it, or not by that batch.",
        Outcome.ALREADY_ACTIVE: "Its subscription has started already.",
        Outcome.SCHEDULED: "Its subscription starts as planned.",
    }
)
_HINTS: Final = MappingProxyType(
    {
        Outcome.ALREADY_CLAIMED: "Ask its holder to release it, then send this row again.",
        Outcome.NOT_CLAIMABLE: "Ask the seller of the device for a subscription, then send this row again.",
        Outcome.NOT_FOUND: "Compare it with the label on the device or the box, then send this row again.",
        Outcome.NOT_PROCESSED: "Send this row again.",
        Outcome.NOT_YOURS: "Look up which project holds it; what another one holds cannot be changed from here.",
        Outcome.ALREADY_ACTIVE: "Leave this row out: prepaid time that has started cannot be taken back or moved.",
    }
)
_REASONS: Final = MappingProxyType(
    {
        Reason.MANGLED_BY_SPREADSHEET: "A spreadsheet has turned the identifier into a rounded number.",
        Reason.TOO_LONG: "This is longer than an identifier can be.",
        Reason.BAD_CHARACTER: "There is a character in it that no identifier has.",
        Reason.EMPTY: "The row names no device and no kit.",
        Reason.MASKED_CODE: "The claim code is ***, as reports show it.",
        Reason.MISSING_CODE: "There is a serial number without a claim code.",
        Reason.MISSING_SERIAL_NUMBER: "There is a claim code without a serial number.",
        Reason.BAD_ACTIVATION_DATE: "Its activate_on is no day from today to 24 months ahead, written as 2027-01-31.",
    }
)


@dataclass(frozen=True)
class Particulars:
    """What some outcomes are told with."""

    duplicate_of_row: int | None = None
    kit_id: str | None = None  # of the earlier row, if that named it
    holder: str | None = None  # the holding project, if the reader sees it


def detail(outcome: Outcome, reason: Reason | None, told: Particulars) -> str:
    """One sentence that says what became of a device."""
    if reason is not None and outcome is Outcome.INVALID_IDENTIFIER:
        return f"{reason}: {_REASONS[reason]}"
    holder = "someone else" if told.holder is None else f"your project '{told.holder}'"
    in_kit = "" if told.kit_id is None else f" (kit {told.kit_id})"
    return _DETAILS[outcome].format(holder=holder, row=told.duplicate_of_row, in_kit=in_kit)


def hint(outcome: Outcome, reason: Reason | None) -> str | None:
    """What its sender can do about it; nothing for successes."""
    if outcome is Outcome.INVALID_IDENTIFIER and reason is not None:
        return hint_for_reason(reason)
    return _HINTS.get(outcome)
