"""Deliveries as the owner of their endpoint sees them: listed, sent again, made for a ping."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import bindparam

from worker.states import DeliveryState, EventType

_VIEW = """
    select d.key, d.public_id, d.state, d.attempts, d.last_status, d.last_error, d.created_at, d.ended_at,
        case when d.state = 'waiting' then d.next_attempt_at end as next_attempt_at, d.give_up_at,
        v.public_id as event_id, v.type, v.occurred_at, b.public_id as batch_id, e.public_id as endpoint_id
    from {chosen} join event v on v.key = d.event_key join endpoint e on e.key = d.endpoint_key
    left join batch b on b.key = d.batch_key"""
# Found by its endpoint before anything is joined, however many deliveries there are.
_LIST = text(
    _VIEW.format(
        chosen="""(select * from delivery
            where endpoint_key = :endpoint and (cast(:state as text) is null or state = :state)
              and (cast(:before as bigint) is null or key < :before)
            order by key desc limit :limit) d"""
    )
    + " order by d.key desc"
)
_FIND = text(_VIEW.format(chosen="(select * from delivery where public_id = :delivery_id) d"))
_ENDPOINT = text("""
    select e.public_id from delivery d join endpoint e on e.key = d.endpoint_key
    where d.public_id = :delivery_id and e.organization_key = :organization and e.deleted_at is null""")
# One that is being tried at this moment is left alone.
_REPLAY = """
    update delivery set state = 'waiting', attempts = 0, fence = fence + 1, lease_expires_at = null, ended_at = null,
        next_attempt_at = clock_timestamp(), give_up_at = clock_timestamp() + :lifetime"""
_REPLAY_ONE = text(
    f"{_REPLAY} where public_id = :delivery_id and endpoint_key = :endpoint and lease_expires_at is null"
)
_REPLAY_ALL = text(f"{_REPLAY} where endpoint_key = :endpoint and state = :state and lease_expires_at is null")
_PING = text("""
    with told as (
        insert into event (organization_key, project_key, type, data)
        select organization_key, project_key, :type, :data from endpoint where key = :endpoint
        returning key
    )
    insert into delivery (event_key, endpoint_key, give_up_at)
    select key, :endpoint, clock_timestamp() + :lifetime from told returning public_id""").bindparams(
    bindparam("data", type_=JSONB)
)


def fetch_deliveries(
    connection: Connection, endpoint: int, state: DeliveryState | None, before: int | None, limit: int
) -> Sequence[RowMapping]:
    """Deliveries to an endpoint, the newest first; `before` is the key of the last one seen."""
    values = {"endpoint": endpoint, "state": state, "before": before, "limit": limit}
    return connection.execute(_LIST, values).mappings().all()


def find_delivery(connection: Connection, delivery_id: str) -> RowMapping | None:
    """All that is shown of one delivery."""
    return connection.execute(_FIND, {"delivery_id": delivery_id}).mappings().one_or_none()


def find_endpoint_of(connection: Connection, organization: int, delivery_id: str) -> str | None:
    """The ID of the endpoint that a delivery of the organization goes to."""
    values = {"organization": organization, "delivery_id": delivery_id}
    return connection.execute(_ENDPOINT, values).scalar_one_or_none()


def replay_delivery(connection: Connection, endpoint: int, delivery_id: str, lifetime: timedelta) -> None:
    """Make a delivery due at once, with a life of `lifetime`."""
    values = {"endpoint": endpoint, "delivery_id": delivery_id, "lifetime": lifetime}
    connection.execute(_REPLAY_ONE, values)


def replay_deliveries(connection: Connection, endpoint: int, state: DeliveryState, lifetime: timedelta) -> int:
    """The same for all in one state; returns how many there were."""
    values = {"endpoint": endpoint, "state": state, "lifetime": lifetime}
    return connection.execute(_REPLAY_ALL, values).rowcount


def insert_ping(connection: Connection, endpoint: int, data: Mapping[str, Any], lifetime: timedelta) -> str:
    """An event for this endpoint alone, whatever it subscribes to; returns the ID of its delivery."""
    values = {"endpoint": endpoint, "type": EventType.PING, "data": dict(data), "lifetime": lifetime}
    return str(connection.execute(_PING, values).scalar_one())
