"""The JSON way to name devices: checked as a whole, then stored as it came."""

from typing import Annotated, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from api_stub.problems import InvalidJson, because_of

T = TypeVar("T")

_STRICT = ConfigDict(strict=True, extra="forbid")
# The first error is enough: a list may have a million of them.
_Identifiers = Annotated[list[str], Field(fail_fast=True)]


@with_config(_STRICT)
class Pair(TypedDict):
    """A serial number with its claim code."""

    serial_number: str
    claim_code: str


@with_config(_STRICT)
class Listing(TypedDict, total=False):
    """What to claim, in any of the three lists; numbered through in this order."""

    kit_ids: _Identifiers
    device_ids: _Identifiers
    devices: Annotated[list[Pair], Field(fail_fast=True)]


LISTING = TypeAdapter(Listing)


def check_listing(body: bytes) -> None:
    """Refuse JSON of another shape.

    Raises:
        InvalidJson: with where and why.
    """
    parse_json(LISTING, body)


def parse_json(adapter: TypeAdapter[T], body: bytes) -> T:
    """The body as what `adapter` makes of it.

    Raises:
        InvalidJson: with where and why.
    """
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise because_of(error.errors(include_url=False, include_input=False), InvalidJson) from None
