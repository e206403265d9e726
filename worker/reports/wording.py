"""What a result is called in plain English, and what to do about it."""

from dataclasses import dataclass
from typing import assert_never

from worker.intake import hint_for_reason
from worker.states import Outcome, Reason


@dataclass(frozen=True)
class Particulars:
    """What some outcomes are told with."""

    duplicate_of_row: int | None = None
    kit_id: str | None = None  # of the earlier row, if that named it
    holder: str | None = None  # the holding project, if the reader sees it


def detail(outcome: Outcome, reason: Reason | None, told: Particulars) -> str:  # noqa: PLR0911  # one case for each outcome
    """One sentence that says what became of a device."""
    match outcome:
        case Outcome.CLAIMED:
            return "Claimed for the project."
        case Outcome.CLAIMABLE:
            return "Would be claimed for the project."
        case Outcome.ALREADY_YOURS:
            return "The project held it already."
        case Outcome.ALREADY_CLAIMED:
            return f"Held by {_holder(told)}."
        case Outcome.NOT_CLAIMABLE:
            return "Nobody holds it, but it carries no prepaid subscription."
        case Outcome.NOT_FOUND:
            return "There is no such device or kit, or the serial number and the claim code do not open a device."
        case Outcome.DUPLICATE:
            return f"The same device as row {told.duplicate_of_row}{_in_kit(told)}."
        case Outcome.INVALID_IDENTIFIER:
            return "This cannot be an identifier." if reason is None else f"{reason}: {_why(reason)}"
        case Outcome.NOT_PROCESSED:
            return "The batch was cancelled or rejected before this was claimed."
        case _:
            assert_never(outcome)


def hint(outcome: Outcome, reason: Reason | None) -> str | None:
    """What its sender can do about it; nothing for successes."""
    match outcome:
        case Outcome.CLAIMED | Outcome.CLAIMABLE | Outcome.ALREADY_YOURS | Outcome.DUPLICATE:
            return None
        case Outcome.ALREADY_CLAIMED:
            return "Ask its holder to release it, then send this row again."
        case Outcome.NOT_CLAIMABLE:
            return "Ask the seller of the device for a subscription, then send this row again."
        case Outcome.NOT_FOUND:
            return "Compare it with the label on the device or the box, then send this row again."
        case Outcome.INVALID_IDENTIFIER:
            return None if reason is None else hint_for_reason(reason)
        case Outcome.NOT_PROCESSED:
            return "Send this row again."
        case _:
            assert_never(outcome)


def _holder(told: Particulars) -> str:
    return "someone else" if told.holder is None else f"your project '{told.holder}'"


def _in_kit(told: Particulars) -> str:
    return "" if told.kit_id is None else f" (kit {told.kit_id})"


def _why(reason: Reason) -> str:  # noqa: PLR0911  # one case for each reason
    match reason:
        case Reason.MANGLED_BY_SPREADSHEET:
            return "A spreadsheet has turned the identifier into a rounded number."
        case Reason.TOO_LONG:
            return "This is longer than an identifier can be."
        case Reason.BAD_CHARACTER:
            return "There is a character in it that no identifier has."
        case Reason.EMPTY:
            return "The row names no device and no kit."
        case Reason.MASKED_CODE:
            return "The claim code is ***, as reports show it."
        case Reason.MISSING_CODE:
            return "There is a serial number without a claim code."
        case Reason.MISSING_SERIAL_NUMBER:
            return "There is a claim code without a serial number."
        case _:
            assert_never(reason)
