"""Hostile input into rows: pure functions over bytes, with no database and nothing else to wait for.

`detect` finds out how an input is to be read, `read_groups` reads it, `references` says what its records
name, and `activation_days` on which day each wants to start.
"""

from worker.intake.columns import ACTIVATE_ON, KNOWN, REPORT_COLUMNS
from worker.intake.days import BAD_DAY, NO_DAY, activation_days, day_number
from worker.intake.detection import detect
from worker.intake.dialect import Checkpoint, Dialect, Group, Limits, Source
from worker.intake.display import input_of, masked_cells, masked_records
from worker.intake.formulas import escape_formula, unescape_formula
from worker.intake.groups import read_groups
from worker.intake.hints import hint_for_reason
from worker.intake.identifiers import MASK, normalise, normalise_code
from worker.intake.payloads import Payload, is_url, mask_codes, read_url
from worker.intake.problems import InputRejected
from worker.intake.references import References, RefKind, references
from worker.intake.text import clean

__all__ = [
    "ACTIVATE_ON",
    "BAD_DAY",
    "KNOWN",
    "MASK",
    "NO_DAY",
    "REPORT_COLUMNS",
    "Checkpoint",
    "Dialect",
    "Group",
    "InputRejected",
    "Limits",
    "Payload",
    "RefKind",
    "References",
    "Source",
    "activation_days",
    "clean",
    "day_number",
    "detect",
    "escape_formula",
    "hint_for_reason",
    "input_of",
    "is_url",
    "mask_codes",
    "masked_cells",
    "masked_records",
    "normalise",
    "normalise_code",
    "read_groups",
    "read_url",
    "references",
    "unescape_formula",
]
