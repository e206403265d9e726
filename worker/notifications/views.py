"""Endpoints and deliveries as their owners see them."""

from typing import Any

from sqlalchemy import RowMapping

from worker.notifications.targets import masked
from worker.states import EndpointKind
from worker.times import rfc3339


def endpoint_document(row: RowMapping, *, in_full: bool) -> dict[str, Any]:
    """The JSON document of an endpoint; what may be a secret in its target is only shown `in_full`."""
    kind = EndpointKind(row["kind"])
    return {
        "id": row["public_id"],
        "organization_id": row["organization_id"],
        "project_id": row["project_id"],
        "kind": kind.value,
        "target": row["target"] if in_full else masked(kind, row["target"]),
        "description": row["description"],
        "events": row["events"],
        "failures": row["failures"],
        "failing_since": rfc3339(row["failing_since"]),
        "retry_at": rfc3339(row["retry_at"]),
        "created_at": rfc3339(row["created_at"]),
        "disabled_at": rfc3339(row["disabled_at"]),
        "disabled_reason": row["disabled_reason"],
        "secrets": [
            {"created_at": rfc3339(made), "expires_at": rfc3339(end)}
            for made, end in zip(row["secrets_made"], row["secrets_end"], strict=True)
        ],
        "links": _endpoint_links(row["public_id"]),
    }


def delivery_document(row: RowMapping) -> dict[str, Any]:
    """The JSON document of a delivery."""
    moments = ("occurred_at", "created_at", "next_attempt_at", "give_up_at", "ended_at")
    return {
        "id": row["public_id"],
        "endpoint_id": row["endpoint_id"],
        "event_id": row["event_id"],
        "type": row["type"],
        "batch_id": row["batch_id"],
        "state": row["state"],
        "attempts": row["attempts"],
        "last_status": row["last_status"],
        "last_error": row["last_error"],
        **{name: rfc3339(row[name]) for name in moments},
    }


def _endpoint_links(endpoint_id: str) -> dict[str, str]:
    own = f"/v1/endpoints/{endpoint_id}"
    return {"self": own, "deliveries": f"{own}/deliveries"}
