"""Subscriptions that run: they end, and before that people are reminded of it.

Both lock what is due without waiting for rivals, and change it in the same statement. The updates say nothing of the
state, which the lock has settled: with it the planner would walk a partial index once for each key.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

# `reminded` leads the index of what is active.
_EXPIRE = text("""
    with due as materialized (
        select device_key from subscription
        where state = 'active' and reminded in (0, 30, 7, 1) and ends_at <= (select business_now())
        limit :limit for update skip locked
    ), ended as (
        update subscription set state = 'expired'
        where device_key = any((select array_agg(device_key) from due)::bigint[])
        returning device_key
    )
    select count(*) from ended""")
_REMIND = text("""
    with due as materialized (
        select device_key from subscription
        where state = 'active' and reminded = :before and ends_at > (select business_now())
          and ends_at <= (select business_now()) + make_interval(hours => 24 * :days)
        limit :limit for update skip locked
    ), told as (
        update subscription set reminded = :days
        where device_key = any((select array_agg(device_key) from due)::bigint[])
        returning device_key, ends_at
    )
    select p.organization_key, p.key as project_key, p.public_id as project_id, count(*) as devices,
        min(told.ends_at) as ends_from, max(told.ends_at) as ends_to,
        (array_agg(coalesce(d.shown_id, d.device_id) order by d.key))[1:100] as device_ids
    from told join claim c on c.device_key = told.device_key join device d on d.key = told.device_key
    join project p on p.key = c.project_key
    group by p.key order by p.key""")


def expire(connection: Connection, limit: int) -> int:
    """End up to `limit` subscriptions whose time is over; returns how many."""
    return int(connection.execute(_EXPIRE, {"limit": limit}).scalar_one())


def remind(connection: Connection, before: int, days: int, limit: int) -> Sequence[Row[Any]]:
    """Mark up to `limit` subscriptions that end within `days` and were last reminded of at `before` days.

    Returns by project what is to be told of them.
    """
    return connection.execute(_REMIND, {"before": before, "days": days, "limit": limit}).all()
