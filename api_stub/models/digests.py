"""Digests on the wire."""

import datetime as dt

from pydantic import Field

from api_stub.models.base import Page, Wire
from worker.states import BatchState, EndpointKind, Operation, Outcome


class DigestTotals(Wire):
    """What happened, in numbers: all of it, where the lists of a digest have only the top."""

    batches: int = Field(description="That ended.")
    claimed: int = Field(description="Devices.")
    released: int = Field(description="Devices that a revert has given back.")
    failed: int = Field(description="Results that are no success.")
    activated: int = Field(description="Devices whose prepaid time began.")
    ending: int = Field(description="Devices whose prepaid time ends within 60 days.")
    endpoints_in_trouble: int


class DigestSummary(Wire):
    """One day's digest in a list."""

    date: dt.date = Field(description="By the organization's own calendar.")
    since: dt.datetime = Field(description="The end of the digest before.")
    until: dt.datetime = Field(description="Seven in the morning where the organization is.")
    totals: DigestTotals
    links: dict[str, str]


class DigestBatches(Wire):
    """How many batches ended so."""

    operation: Operation
    state: BatchState
    batches: int


class DigestFailures(Wire):
    """How many results had this outcome."""

    outcome: Outcome
    devices: int


class DigestFile(Wire):
    """One of the worst files."""

    batch_id: str
    file_name: str | None
    operation: Operation
    state: BatchState
    rows_total: int | None
    failed_rows: int = Field(description="Without those that a later batch has mended.")
    problem: str | None = Field(description="Why it was rejected, or failed, as a whole.")


class DigestProject(Wire):
    """Devices of one project."""

    project_id: str
    project: str
    devices: int


class DigestEnding(DigestProject):
    """Devices of one project whose prepaid time ends within 60 days."""

    first: dt.date = Field(description="When the first of them ends.")


class DigestDate(Wire):
    """Devices whose prepaid time ends on one day."""

    date: dt.date
    devices: int


class DigestEndpoint(Wire):
    """An endpoint that does not get everything."""

    endpoint_id: str
    kind: EndpointKind
    target: str = Field(description="Of a webhook, the host.")
    failing: int = Field(description="Deliveries that failed and are tried again.")
    dead: int = Field(description="Deliveries that were given up, and can be replayed.")
    disabled: bool


class Digest(DigestSummary):
    """What happened in an organization from one morning to the next. Lists have the first ten, of files five."""

    organization_id: str
    organization: str
    time_zone: str = Field(examples=["Europe/Berlin"])
    batches: list[DigestBatches]
    claims: list[DigestProject]
    failures: list[DigestFailures]
    files: list[DigestFile]
    activations: list[DigestProject]
    ending: list[DigestEnding]
    ending_dates: list[DigestDate]
    deliveries: list[DigestEndpoint]


class DigestPage(Page):
    """Digests, the newest first."""

    items: list[DigestSummary]
