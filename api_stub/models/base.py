"""What all documents have in common."""

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A document; members that this version does not know are passed on."""

    model_config = ConfigDict(extra="allow")


class Page(Wire):
    """One page of a list; `next_cursor` leads to the next one and is null on the last."""

    next_cursor: str | None
