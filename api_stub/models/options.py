"""What clients may ask for in a query."""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from worker.states import Mode

LARGEST_INT = 2**31 - 1
# What may be left out; nobody can write a null into a query.
Absent = SkipJsonSchema[None]
_is_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def iso_day(value: object) -> object:
    """A day as it came, if it is written as one; numbers of seconds are not.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, str) and not _is_day(value):
        raise ValueError("a day is written as 2027-01-31")
    return value


class SubmitQuery(BaseModel):
    """The options of a batch."""

    mode: Mode = Field(default=Mode.PARTIAL, description="`atomic`: one bad row rejects the whole batch.")
    preview: bool = Field(default=False, description="Only say what would be claimed.")
    reference: Annotated[str, Field(max_length=1000)] | Absent = Field(
        default=None, description="The caller's own text.", examples=["Delivery 4711"]
    )
    parent: Annotated[str, Field(max_length=100)] | Absent = Field(
        default=None, description="The batch whose failed rows these are."
    )
    max_claims: Annotated[int, Field(ge=0, le=LARGEST_INT)] | Absent = Field(
        default=None, description="Reject the batch before claiming if it would claim more."
    )
    activate_on: Annotated[date, BeforeValidator(iso_day)] | Absent = Field(
        default=None,
        description="When the prepaid time of its devices starts: a day from today to 24 months ahead, in the time "
        "zone of the organization. Without it, once the hold window is over.",
        examples=["2027-01-31"],
    )


class PlanQuery(BaseModel):
    """When subscriptions are to start, and whose; the other options of a batch make no sense here."""

    model_config = ConfigDict(extra="forbid")

    activate: Literal["now"] | Annotated[date, BeforeValidator(iso_day)] = Field(
        description="`now`, or a day from today to 24 months ahead, in the time zone of the organization; in any case "
        "not before the hold window of a device's batch is over.",
        examples=["now", "2027-01-31"],
    )
    batch_id: Annotated[str, Field(max_length=100)] | Absent = Field(
        default=None, description="Instead of a body: all that this batch has claimed and the project still holds."
    )
    all: bool = Field(default=False, description="Instead of a body: everything that the project holds.")
    reference: Annotated[str, Field(max_length=1000)] | Absent = Field(
        default=None, description="The caller's own text."
    )

    @property
    def day(self) -> date | None:
        """None for now."""
        return None if self.activate == "now" else self.activate


class PageQuery(BaseModel):
    """Which part of a list."""

    limit: int = Field(default=100, ge=1, le=1000, description="Items on one page.")
    cursor: str | Absent = Field(default=None, description="`next_cursor` of the page before.")
