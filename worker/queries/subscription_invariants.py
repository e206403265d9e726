"""What must hold of prepaid time at any moment, as queries for what breaks it: as `queries.invariants` has them."""

from types import MappingProxyType
from typing import Final

from worker.states import PeriodicTask

# A task that is late is seen by operators; here counts what it has left undone although it came and succeeded.
_LEFT = """
    select what || ': due for ' || date_trunc('second', clock_timestamp() - due_at) from (
        select what, greatest(due_at - clock.ahead, clock.moved_at) as due_at from ({due}) as item, clock
    ) as item
    where due_at < clock_timestamp() - interval '10 minutes'
      and due_at < (select succeeded_at - interval '1 minute' from periodic_task where name = '{task}')"""
_TO_START = """
    select 'batch ' || b.public_id as what, a.activate_at as due_at
    from activation a join batch b on b.key = a.batch_key
    where a.done_at is null and b.state in ('completed', 'cancelled')
    union all
    select 'device ' || s.device_key, greatest(s.activate_at, b.hold_until) from subscription s
    join claim c on c.device_key = s.device_key join batch b on b.key = c.batch_key
    where s.state = 'scheduled' and b.state in ('completed', 'cancelled')"""
_TO_END = "select 'device ' || device_key as what, ends_at as due_at from subscription where state = 'active'"
_TO_REMIND = """
    select 'device ' || s.device_key as what, s.ends_at - make_interval(hours => 24 * step.days) as due_at
    from subscription s join (values (0, 30), (30, 7), (7, 1)) as step (before, days) on step.before = s.reminded
    where s.state = 'active' and s.ends_at > business_now() + interval '1 minute'"""

SUBSCRIPTION_INVARIANTS: Final = MappingProxyType(
    {
        "a subscription has a claim": """
            select 'device ' || s.device_key || ': ' || s.state from subscription s
            left join claim c on c.device_key = s.device_key where c.device_key is null""",
        "no prepaid time starts before its batch has ended and can no longer be reverted": """
            select 'device ' || s.device_key || ', batch ' || b.public_id from subscription s
            join claim c on c.device_key = s.device_key join batch b on b.key = c.batch_key
            where s.starts_at is not null and (s.starts_at >= b.hold_until) is not true""",
        "no prepaid time starts in the future": """
            select 'device ' || device_key || ': ' || starts_at from subscription
            where starts_at > (select business_now())""",
        # The organization may have moved to another time zone since.
        "a period is as long as its months": """
            with zone as materialized (select name from pg_timezone_names), odd as materialized (
                select s.starts_at, s.ends_at, d.prepaid_months, min(d.device_id) as device_id
                from subscription s join claim c on c.device_key = s.device_key join device d on d.key = s.device_key
                join project p on p.key = c.project_key join organization o on o.key = p.organization_key
                where s.ends_at <> period_end(s.starts_at, d.prepaid_months, o.time_zone)
                group by s.starts_at, s.ends_at, d.prepaid_months
            )
            select 'device ' || device_id || ': ' || starts_at || ' to ' || ends_at from odd
            where not exists (select from zone where ends_at = period_end(starts_at, prepaid_months, zone.name))""",
        "what a batch has claimed is going to start": """
            select b.public_id from batch b left join activation a on a.batch_key = b.key
            where b.operation = 'claim' and b.state in ('completed', 'cancelled') and a.batch_key is null
              and exists (select from claim c where c.batch_key = b.key)""",
        "an activation that is done has left no device out": """
            select b.public_id || ': device ' || c.device_key from activation a join batch b on b.key = a.batch_key
            join claim c on c.batch_key = a.batch_key left join subscription s on s.device_key = c.device_key
            where a.done_at is not null and b.state in ('completed', 'cancelled') and s.device_key is null""",
        "an activation has started what it counts": """
            select 'batch ' || a.batch_key || ': ' || a.activated || ' counted' from activation a
            left join claim c on c.batch_key = a.batch_key
            left join subscription s on s.device_key = c.device_key and s.state <> 'scheduled'
            group by a.batch_key having a.activated > count(s.device_key)
                or a.activated <> (select coalesce(sum(value::int), 0) from jsonb_each_text(a.months))""",
        "what is due has started": _LEFT.format(due=_TO_START, task=PeriodicTask.ACTIVATE),
        "what is over has ended": _LEFT.format(due=_TO_END, task=PeriodicTask.EXPIRE),
        "what ends soon has been told": _LEFT.format(due=_TO_REMIND, task=PeriodicTask.REMIND),
    }
)
