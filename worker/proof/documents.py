"""The manifest: what it has, and exactly which bytes of it are signed."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Final = 1
RESULTS: Final = "results.jsonl"
TABLE: Final = "results.csv"
SIGNATURE: Final = "signature"

Count = Annotated[int, Field(ge=0, lt=2**53)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class InputFacts(_Strict):
    """The file as it was sent."""

    source: Literal["csv", "json", "devices"]
    file_name: str | None
    bytes: Count
    sha256: Sha256


class FileFacts(_Strict):
    """A file of the report."""

    file: str
    bytes: Count
    sha256: Sha256


class Manifest(_Strict):
    """What claimd states about a batch and signs."""

    format: Literal[1]
    batch_id: str
    operation: str
    mode: str
    preview: bool
    state: str
    organization_id: str
    project_id: str
    parent: str | None
    rows_total: Count | None = Field(description="Null if the input could not be read.")
    results_total: Count
    failed_rows: Count
    totals: dict[str, Count]
    input: InputFacts
    results: FileFacts
    results_csv: FileFacts | None
    created_at: Annotated[datetime, Field(strict=False)]
    finished_at: Annotated[datetime, Field(strict=False)] | None
    signed_at: Annotated[datetime, Field(strict=False)]
    claimd_version: str
    key_id: str = Field(description="The first 32 hexadecimal digits of the public key's SHA-256.")
    public_key: str = Field(description="32 bytes in base64, Ed25519.")
    signature: str = Field(description="64 bytes in base64, over the canonical JSON of all other members.")


def canonical(document: Mapping[str, Any]) -> bytes:
    """RFC 8785, of a document whose names are ASCII and whose numbers are whole.

    Raises:
        ValueError: a text in it is no Unicode.
    """
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def signed_bytes(document: Mapping[str, Any]) -> bytes:
    """What the signature of a manifest is over: all of it but the signature."""
    return canonical({name: value for name, value in document.items() if name != SIGNATURE})
