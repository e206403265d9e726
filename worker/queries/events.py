"""Events, and at once with each a delivery to every endpoint that wants it; without one there is no event."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import bindparam

from worker.states import EventType

# Whoever deletes an endpoint waits for this, and then ends its deliveries: none is made for a deleted one.
_WANTED = """
    select e.key from endpoint e where e.organization_key = {organization} and e.deleted_at is null
      and e.disabled_at is null and (e.project_key is null or e.project_key = {project})
      and e.events && array['*', {type}] for key share of e"""
_DELIVER = """
    insert into delivery (event_key, endpoint_key, batch_key, give_up_at)
    select told.key, wanted.key, told.batch_key, clock_timestamp() + :lifetime from told, wanted"""
_EMIT = text(f"""
    with wanted as ({_WANTED.format(organization=":organization", project=":project", type=":type")}
    ), told as (
        insert into event (organization_key, project_key, batch_key, type, data)
        select :organization, :project, :batch, :type, :data where exists (select from wanted)
        returning key, batch_key
    ) {_DELIVER}""").bindparams(bindparam("data", type_=JSONB))
_EMIT_BATCH = text(f"""
    with ended as (
        select b.*, 'batch.' || b.state as event_type from batch b
        where b.key = :batch and b.state in ('completed', 'rejected', 'failed', 'cancelled', 'reverted')
    ), wanted as (
        select e.key from ended b cross join lateral (
            {_WANTED.format(organization="b.organization_key", project="b.project_key", type="b.event_type")}) e
    ), told as (
        insert into event (organization_key, project_key, batch_key, type, data)
        select b.organization_key, b.project_key, b.key, b.event_type, jsonb_build_object(
            'batch_id', b.public_id, 'operation', b.operation, 'state', b.state, 'mode', b.mode,
            'project_id', (select public_id from project where key = b.project_key),
            'file_name', left(b.file_name, 200), 'reference', b.reference, 'created_by', b.created_by,
            'rows_total', b.rows_total, 'results_total', b.results_total, 'failed_rows', b.failed_rows,
            'totals', b.totals, 'problem', b.problem, 'created_at', b.created_at, 'finished_at', b.finished_at,
            'hold_until', b.hold_until, 'activate_at', b.activate_at)
        from ended b where exists (select from wanted)
        returning key, batch_key
    ) {_DELIVER}""")


def emit_event(
    connection: Connection,
    organization: int,
    kind: EventType,
    data: Mapping[str, Any],
    lifetime: timedelta,
    *,
    project: int | None = None,
    batch: int | None = None,
) -> int:
    """Tell the organization's endpoints; returns how many want to know. Each gets its delivery by this commit."""
    values = {
        "organization": organization,
        "project": project,
        "batch": batch,
        "type": kind,
        "data": dict(data),
        "lifetime": lifetime,
    }
    return connection.execute(_EMIT, values).rowcount


def emit_batch_event(connection: Connection, batch: int, lifetime: timedelta) -> int:
    """The same for the end that a batch has come to; 0 while it has not."""
    return connection.execute(_EMIT_BATCH, {"batch": batch, "lifetime": lifetime}).rowcount
