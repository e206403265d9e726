"""All that an organization's doings have come to, without what differs from run to run, so that runs can be compared.

Each query takes the organization's public id, and gives rows.
"""

from types import MappingProxyType
from typing import Final

from sqlalchemy import text

_OF = "o.public_id = :organization"
_OF_PROJECT = f"join project p on p.key = c.project_key join organization o on o.key = p.organization_key where {_OF}"

TOLD: Final = MappingProxyType(
    {
        "batches": text(f"""
            select b.operation, b.state, b.rows_total, b.totals::text, b.drift, b.problem ->> 'type',
                b.input_pruned_at is not null, b.results_pruned_at is not null,
                (select count(*) from upload_block u where u.upload_key = b.upload_key)
            from batch b join organization o on o.key = b.organization_key where {_OF} order by b.key"""),
        "outcomes": text(f"""
            select b.operation || ' ' || b.state, r.row, r.position, r.outcome, d.device_id
            from batch b join organization o on o.key = b.organization_key left join result r on r.batch_key = b.key
            left join device d on d.key = r.device_key where {_OF} order by b.key, r.row, r.position"""),
        "claims": text(f"""
            select d.device_id, c.batch_key = first_value(c.batch_key) over (order by c.batch_key)
            from claim c join device d on d.key = c.device_key {_OF_PROJECT} order by 1"""),
        "history": text(f"""
            select d.device_id, count(*) from claim_history c join device d on d.key = c.device_key {_OF_PROJECT}
            group by 1 order by 1"""),
        "subscriptions": text(f"""
            select d.device_id, s.state, s.reminded, s.ends_at - s.starts_at > interval '300 days'
            from subscription s join device d on d.key = s.device_key join claim c on c.device_key = s.device_key
            {_OF_PROJECT} order by 1"""),
        "keys": text(f"""
            select k.response_status, count(*) from idempotency_key k join token t on t.key = k.token_key
            join organization o on o.key = t.organization_key where {_OF} group by 1 order by 1"""),
        "events": text(f"""
            select e.type, count(*), sum((e.data ->> 'activated')::int), sum((e.data ->> 'count')::int)
            from event e join organization o on o.key = e.organization_key where {_OF} group by 1 order by 1"""),
        "deliveries": text(f"""
            select e.type, d.state, count(*) from delivery d join event e on e.key = d.event_key
            join organization o on o.key = e.organization_key where {_OF} group by 1, 2 order by 1, 2"""),
        "endpoints": text(f"""
            select e.description, e.events, e.disabled_at is null, e.deleted_at is null, e.failures,
                (select count(*) from endpoint_secret s where s.endpoint_key = e.key)
            from endpoint e join organization o on o.key = e.organization_key where {_OF} order by e.key"""),
    }
)

OPEN: Final = text(f"""
    select (select count(*) from work_item w join organization o on o.key = w.organization_key
            where {_OF} and w.done_at is null)
        + (select count(*) from delivery d join event e on e.key = d.event_key
            join organization o on o.key = e.organization_key where {_OF} and d.state = 'waiting')""")
