"""What is due and not yet done, for each periodic task.

Each query finds the oldest first by a partial index of what is open, and stops after `most`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, TextClause, text

from worker.queries.digests import DUE_DIGESTS
from worker.queries.halts import MAY_RUN
from worker.queries.leases import FREE
from worker.states import PeriodicTask

_BUSINESS, _REAL = "(select business_now())", "clock_timestamp()"
# What is paused is not due.
_MAY_RUN = MAY_RUN.format("organization_key")

_RING = f"""
    select w.ring_at as due, 1 as things from work_item w where w.ring_at <= {_REAL} and {FREE}
    order by w.ring_at limit :most"""
_LAPSED = f"""
    (select preview_expires_at as due, 1 as things from batch
     where state = 'previewed' and preview_expires_at < {_REAL} and cancel_requested_at is null order by 1 limit :most)
    union all
    (select expires_at, 1 from upload where expires_at < {_REAL} order by 1 limit :most)"""
# A batch's devices are counted as if none had a plan of its own; the lateral keeps the order of the index.
_START = f"""
    (select a.activate_at as due, greatest(1, coalesce((b.totals->>'claimed')::int, 0) - a.activated) as things
     from activation a cross join lateral (
         select totals from batch where key = a.batch_key and state in ('completed', 'cancelled')
             and {_MAY_RUN} offset 0) b
     where a.done_at is null and a.activate_at <= {_BUSINESS} order by a.activate_at limit :most)
    union all
    (select greatest(s.activate_at, b.hold_until), 1
     from subscription s cross join lateral (
         select hold_until from batch where key = (select batch_key from claim where device_key = s.device_key)
             and state in ('completed', 'cancelled') and hold_until <= {_BUSINESS} and {_MAY_RUN} offset 0) b
     where s.state = 'scheduled' and s.activate_at <= {_BUSINESS} order by s.activate_at limit :most)"""
_END = f"""
    select s.ends_at as due, 1 as things from unnest(array[0, 30, 7, 1]::smallint[]) r (reminded) cross join lateral (
        select ends_at from subscription where state = 'active' and reminded = r.reminded and ends_at <= {_BUSINESS}
        order by ends_at limit :most) s"""
_REMIND = f"""
    select s.ends_at - r.days as due, 1 as things
    from (values (0::smallint, interval '720 hours'), (30, interval '168 hours'), (7, interval '24 hours'))
        r (reminded, days)
    cross join lateral (
        select ends_at from subscription where state = 'active' and reminded = r.reminded
            and ends_at > {_BUSINESS} and ends_at <= {_BUSINESS} + r.days
        order by ends_at limit :most) s"""
# A delivery that has to wait for an earlier one of its batch, or for its endpoint, is not due.
_DELIVER = f"""
    select greatest(d.next_attempt_at, e.retry_at) as due, 1 as things from endpoint e cross join lateral (
        select next_attempt_at from delivery
        where endpoint_key = e.key and state = 'waiting' and next_attempt_at <= {_REAL}
            and (batch_key is null or not exists (select from delivery earlier where earlier.endpoint_key = e.key
                and earlier.batch_key = delivery.batch_key and earlier.key < delivery.key
                and earlier.state = 'waiting'))
        order by next_attempt_at limit :most) d
    where e.disabled_at is null and e.deleted_at is null and coalesce(e.retry_at <= {_REAL}, true)
        and {_MAY_RUN}"""
_DIGEST = f"select due_at as due, 1 as things from ({DUE_DIGESTS}) d"
# A failed batch is kept while it may be resumed.
_OLD = f"""
    (select finished_at + {{keep}} as due, 1 as things from batch
     where {{pruned}} is null and finished_at < {_BUSINESS} - {{keep}}
        and state in ('completed', 'rejected', 'cancelled', 'reverted') order by finished_at limit :most)"""
_RETAIN = f"""
    {_OLD.format(pruned="input_pruned_at", keep="least(:keep_inputs, interval '1000 years')")}
    union all {_OLD.format(pruned="results_pruned_at", keep="least(:keep_results, interval '1000 years')")}
    union all
    (select ended_at + :keep_deliveries, 1 from delivery
     where ended_at < {_BUSINESS} - least(:keep_deliveries, interval '1000 years') order by ended_at limit :most)"""


def _measuring(due: str, now: str) -> TextClause:
    return text(f"""
        select coalesce(sum(things), 0)::bigint as things, greatest(coalesce({now} - min(due), interval '0'),
            interval '0') as age from ({due}) found""")


_MEASURES: Final[Mapping[PeriodicTask, TextClause]] = MappingProxyType(
    {
        PeriodicTask.SWEEP: _measuring(_RING, _REAL),
        PeriodicTask.PRUNE: _measuring(_LAPSED, _REAL),
        PeriodicTask.ACTIVATE: _measuring(_START, _BUSINESS),
        PeriodicTask.EXPIRE: _measuring(_END, _BUSINESS),
        PeriodicTask.REMIND: _measuring(_REMIND, _BUSINESS),
        PeriodicTask.DELIVER: _measuring(_DELIVER, _REAL),
        PeriodicTask.DIGEST: _measuring(_DIGEST, _BUSINESS),
        PeriodicTask.RETAIN: _measuring(_RETAIN, _BUSINESS),
    }
)


@dataclass(frozen=True)
class Backlog:
    """How many things are due, and for how long the oldest of them has been."""

    things: int
    lag: timedelta


def measure_backlog(connection: Connection, task: PeriodicTask, keep: Mapping[str, timedelta], most: int) -> Backlog:
    """What the task has to catch up with, counting up to `most`; `keep` is for how long retention keeps what."""
    row = connection.execute(_MEASURES[task], {**keep, "most": most, "limit": most}).one()
    return Backlog(int(row.things), row.age)
