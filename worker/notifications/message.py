"""What is sent, to whom, and how it was taken: shared by all channels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.states import EndpointKind


@dataclass(frozen=True)
class Message:
    """An event as it is told; `event_id` is the same for every attempt and every replay."""

    event_id: str
    type: str
    occurred_at: datetime
    organization_id: str
    data: Mapping[str, Any]
    batch_id: str | None


@dataclass(frozen=True)
class Target:
    """An endpoint as it is sent to; `secrets` are those that sign, opened, the newest first."""

    endpoint_key: int
    kind: EndpointKind
    target: str
    secrets: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """What became of one attempt.

    `status` is HTTP's or SMTP's; `gone`: never send there again; `retry_after`: seconds that the receiver asked for.
    """

    delivered: bool
    status: int | None
    error: str | None
    gone: bool = False
    retry_after: float | None = None


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a mail; `complete`: nothing was left out of it."""

    name: str
    content: bytes
    complete: bool
