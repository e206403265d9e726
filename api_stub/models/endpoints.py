"""Endpoints and deliveries on the wire."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, JsonValue

from api_stub.models.base import Page, Wire
from api_stub.models.options import Absent
from worker.states import DeliveryState, EndpointKind

Text = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Events = Annotated[list[Text], Field(min_length=1, max_length=50)]
MOST_HOURS: Final = 7 * 24

NEW: Final[dict[str, Any]] = {
    "kind": "webhook",
    "target": "https://hooks.example.com/claimd",
    "events": ["batch.completed", "batch.rejected"],
    "project_id": None,
    "description": "ERP",
}
ENDPOINT: Final[dict[str, Any]] = {
    "id": "ep_5n2kq7vhx3mfa6wr4tcy",
    "organization_id": "org_2k7v3m5xqa4wn6tfy3rh",
    "project_id": None,
    "kind": "webhook",
    "target": "https://hooks.example.com/claimd",
    "description": "ERP",
    "events": ["batch.completed", "batch.rejected"],
    "failures": 0,
    "failing_since": None,
    "retry_at": None,
    "created_at": "2026-11-21T09:30:00.000000Z",
    "disabled_at": None,
    "disabled_reason": None,
    "secrets": [{"created_at": "2026-11-21T09:30:00.000000Z", "expires_at": None}],
    "links": {"self": "/v1/endpoints/ep_5n2kq7vhx3mfa6wr4tcy"},
}
DELIVERY: Final[dict[str, Any]] = {
    "id": "dlv_0f6d3a52c1b94e7a8a3c9d1e5b7f2a60",
    "endpoint_id": "ep_5n2kq7vhx3mfa6wr4tcy",
    "event_id": "evt_7a8a3c9d1e5b7f2a600f6d3a52c1b94e",
    "type": "batch.completed",
    "batch_id": "bat_5n2kq7vhx3mfa6wr4tcy",
    "state": "waiting",
    "attempts": 2,
    "last_status": 503,
    "last_error": "HTTP 503: try later",
    "occurred_at": "2026-11-21T09:30:00.000000Z",
    "created_at": "2026-11-21T09:30:00.000000Z",
    "next_attempt_at": "2026-11-21T09:31:00.000000Z",
    "give_up_at": "2026-11-24T09:30:00.000000Z",
    "ended_at": None,
}


class NewEndpoint(Wire):
    """Where to tell what."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [NEW]})

    kind: EndpointKind = EndpointKind.WEBHOOK
    target: Text = Field(description="An address of the web, or one for mail.")
    events: Events = Field(default=["*"], description="Types of events; `*` for all.")
    project_id: Text | None = Field(default=None, description="Null: the events of all projects.")
    description: Text | None = None


class EndpointChange(Wire):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"events": ["*"]}]})

    target: Text | Absent = None
    events: Events | Absent = None
    project_id: Text | None = Field(default=None, description="Null: the events of all projects.")
    description: Text | None = None


class Secret(Wire):
    """A secret that signs; it is shown when it is made, and never again."""

    created_at: datetime
    expires_at: datetime | None = Field(description="Null for the newest.")


class Endpoint(Wire):
    """Where an organization is told what happened."""

    id: str
    organization_id: str
    project_id: str | None
    kind: EndpointKind
    target: str = Field(description="Without its path for those who may not change it.")
    description: str | None
    events: list[str]
    failures: int = Field(description="Attempts that failed since the last success.")
    retry_at: datetime | None = Field(description="Nothing is tried before, because it failed so often.")
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None
    secrets: list[Secret]
    links: dict[str, JsonValue]


class EndpointWithSecret(Endpoint):
    """The same with its new secret."""

    secret: str | Absent = Field(default=None, description="`whsec_…`, for webhooks; never shown again.")


class EndpointPage(Page):
    """Endpoints, the oldest first."""

    items: list[Endpoint]


class Delivery(Wire):
    """One event on its way to one endpoint."""

    id: str
    endpoint_id: str
    event_id: str = Field(description="`webhook-id` of every attempt and of every replay.")
    type: str
    batch_id: str | None
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    occurred_at: datetime
    created_at: datetime
    next_attempt_at: datetime | None
    give_up_at: datetime
    ended_at: datetime | None


class DeliveryPage(Page):
    """Deliveries, the newest first."""

    items: list[Delivery]


class Replayed(Wire):
    """How many are sent again."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"replayed": 12}]})

    replayed: int
