"""What was sent to an endpoint: listed, sent again, tried out."""

from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.cursors import decode_cursor, encode_cursor
from worker.errors import NotFound, Refused
from worker.notifications.access import own_endpoint, seen_endpoint
from worker.notifications.views import delivery_document
from worker.principal import Principal
from worker.queries import delivery_log, endpoints
from worker.runtime import Runtime
from worker.states import DeliveryState, PeriodicTask


class EndpointDisabled(Refused):
    """The endpoint is disabled."""

    status = 409
    problem_type = "endpoint-disabled"


def list_deliveries(
    runtime: Runtime,
    principal: Principal,
    endpoint_id: str,
    state: DeliveryState | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """One page of what was, or is to be, sent there, the newest first.

    Raises:
        NotFound: there is no endpoint that the principal may see.
        Invalid: the cursor is of another list.
    """
    before = int(decode_cursor(cursor, [int])[0]) if cursor is not None else None
    with runtime.reading() as connection:
        endpoint = seen_endpoint(connection, principal, endpoint_id)["key"]
        rows = delivery_log.fetch_deliveries(connection, endpoint, state, before, limit + 1)
    more = len(rows) > limit
    return {
        "items": [delivery_document(row) for row in rows[:limit]],
        "next_cursor": encode_cursor(rows[limit - 1]["key"]) if more else None,
    }


def ping(runtime: Runtime, principal: Principal, endpoint_id: str) -> dict[str, Any]:
    """Send an event `ping` to one endpoint, on the same way as all others; returns the delivery.

    Raises:
        NotFound, Forbidden: as ever.
        EndpointDisabled: it is.
    """
    with runtime.transaction() as connection:
        endpoint = _awake(connection, principal, endpoint_id)["key"]
        data = {"endpoint_id": endpoint_id, "asked_by": principal.name}
        delivery_id = delivery_log.insert_ping(connection, endpoint, data, runtime.settings.delivery_lifetime)
        document = _document(connection, delivery_id)
    runtime.doorbell.nudge(PeriodicTask.DELIVER)
    return document


def replay_delivery(runtime: Runtime, principal: Principal, delivery_id: str) -> dict[str, Any]:
    """Send one delivery again, under the same event's ID; returns the delivery.

    Raises:
        NotFound, Forbidden: as ever.
        EndpointDisabled: its endpoint is.
    """
    with runtime.transaction() as connection:
        endpoint_id = delivery_log.find_endpoint_of(connection, principal.organization_key, delivery_id)
        if endpoint_id is None:
            raise NotFound(f"There is no delivery {delivery_id}.")
        endpoint = _awake(connection, principal, endpoint_id)["key"]
        delivery_log.replay_delivery(connection, endpoint, delivery_id, runtime.settings.delivery_lifetime)
        document = _document(connection, delivery_id)
    runtime.doorbell.nudge(PeriodicTask.DELIVER)
    return document


def replay_deliveries(
    runtime: Runtime, principal: Principal, endpoint_id: str, state: DeliveryState = DeliveryState.DEAD
) -> dict[str, Any]:
    """Send all again that are in one state: `{"replayed": n}`.

    Raises:
        NotFound, Forbidden: as ever.
        EndpointDisabled: it is.
    """
    with runtime.transaction() as connection:
        endpoint = _awake(connection, principal, endpoint_id)["key"]
        lifetime = runtime.settings.delivery_lifetime
        replayed = delivery_log.replay_deliveries(connection, endpoint, state, lifetime)
    runtime.doorbell.nudge(PeriodicTask.DELIVER)
    return {"replayed": replayed}


def _awake(connection: Connection, principal: Principal, endpoint_id: str) -> RowMapping:
    """An endpoint that is going to be tried at once, although it may have failed before."""
    row = own_endpoint(connection, principal, endpoint_id)
    if row["disabled_at"] is not None:
        raise EndpointDisabled(f"Enable the endpoint first: {row['disabled_reason']}.", endpoint_id=endpoint_id)
    endpoints.end_rest(connection, row["key"])
    return row


def _document(connection: Connection, delivery_id: str) -> dict[str, Any]:
    row = delivery_log.find_delivery(connection, delivery_id)
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return delivery_document(row)
