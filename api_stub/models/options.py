"""What clients may ask for in a query."""

from typing import Annotated

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from worker.states import Mode

LARGEST_INT = 2**31 - 1
# What may be left out; nobody can write a null into a query.
Absent = SkipJsonSchema[None]


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


class PageQuery(BaseModel):
    """Which part of a list."""

    limit: int = Field(default=100, ge=1, le=1000, description="Items on one page.")
    cursor: str | Absent = Field(default=None, description="`next_cursor` of the page before.")
