"""What a person can do about a row that cannot be read."""

from types import MappingProxyType
from typing import Final

from worker.states import Reason

_HINTS: Final = MappingProxyType(
    {
        Reason.MANGLED_BY_SPREADSHEET: (
            "A spreadsheet has turned this identifier into a number and its digits are lost. Take it from "
            "the original again: format the column as text before pasting or importing, then save as CSV."
        ),
        Reason.TOO_LONG: "An identifier has at most 64 characters. Check whether two of them ran together.",
        Reason.BAD_CHARACTER: (
            "An identifier has only letters A-Z, digits and . _ : - in it. Check for a typing error or a wrong column."
        ),
        Reason.EMPTY: "Fill in device_id, kit_id, identifier, or serial_number and claim_code.",
        Reason.MASKED_CODE: "Reports show claim codes as ***. Put the code itself in again.",
        Reason.MISSING_CODE: "A serial number is accepted only together with its claim_code.",
        Reason.MISSING_SERIAL_NUMBER: "A claim code is accepted only together with its serial_number.",
        Reason.BAD_ACTIVATION_DATE: "Write activate_on as 2027-01-31, up to 24 months ahead, or leave it empty.",
    }
)


def hint_for_reason(reason: Reason) -> str:
    """One or two sentences for the report's `hint` column."""
    return _HINTS[reason]
