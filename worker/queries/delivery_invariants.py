"""What must hold of events, deliveries and endpoints, in the form of `invariants`."""

from types import MappingProxyType
from typing import Final

DELIVERY_INVARIANTS: Final = MappingProxyType(
    {
        "an event has somebody to be told": """
            select v.public_id from event v where not exists (select from delivery d where d.event_key = v.key)""",
        "an endpoint is told of its own organization only": """
            select d.public_id from delivery d join event v on v.key = d.event_key
            join endpoint e on e.key = d.endpoint_key where e.organization_key <> v.organization_key""",
        "a delivery is of its event's batch": """
            select d.public_id from delivery d join event v on v.key = d.event_key
            where d.batch_key is distinct from v.batch_key""",
        "what was delivered was answered": """
            select public_id from delivery where state = 'delivered' and (attempts = 0 or last_status is null)""",
        "nothing waits for a deleted endpoint": """
            select d.public_id from delivery d join endpoint e on e.key = d.endpoint_key
            where d.state = 'waiting' and e.deleted_at is not null""",
        "a webhook can be signed": """
            select e.public_id from endpoint e where e.kind = 'webhook' and e.deleted_at is null
              and not exists (select from endpoint_secret s where s.endpoint_key = e.key and s.expires_at is null)""",
        # Where the task has run since, and nobody works for the endpoint now.
        "what was due is tried": """
            select d.public_id || ': due since ' || d.next_attempt_at
            from delivery d join endpoint e on e.key = d.endpoint_key
            join periodic_task t on t.name = 'reports.deliver_due'
            where d.state = 'waiting' and e.deleted_at is null and e.disabled_at is null
              and greatest(d.next_attempt_at, e.retry_at) < t.succeeded_at - interval '10 minutes'
              and not exists (select from delivery h
                where h.endpoint_key = e.key and h.lease_expires_at > clock_timestamp())
              and (d.batch_key is null or not exists (select from delivery earlier
                where earlier.endpoint_key = d.endpoint_key and earlier.batch_key = d.batch_key
                  and earlier.state = 'waiting' and earlier.key < d.key))""",
    }
)
