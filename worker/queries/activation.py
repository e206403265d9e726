"""What is due to start: the claims of whole batches, and what was planned device by device."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
from sqlalchemy import Connection, Row, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import bindparam

from worker.pgcopy import Column, copy_rows
from worker.queries.halts import MAY_RUN

Table = npt.NDArray[Any]
Keys = npt.NDArray[np.int64]
CLAIM: Final = np.dtype([("position", np.int64), ("device_key", np.int64), ("months", np.int64)])

# A batch may start what it claimed once it has ended, was not taken back, and can no longer be. The lock keeps a
# revert, which takes a stronger one, out until this transaction is over.
_MAY_START = f"""b.operation = 'claim' and b.state in ('completed', 'cancelled')
    and b.hold_until <= (select business_now()) and {MAY_RUN.format("b.organization_key")}"""
_FORGET_REVERTED = text("""
    update activation set done_at = clock_timestamp()
    where done_at is null and batch_key in (select key from batch where state = 'reverted')""")
_TAKE = text(f"""
    select a.batch_key, b.public_id as batch_id, b.organization_key, b.project_key, p.public_id as project_id,
        (b.totals ->> 'claimed')::int as claimed, a.next_device, a.activated, a.months,
        greatest(a.activate_at, b.hold_until) as starts_at, o.time_zone
    from activation a join batch b on b.key = a.batch_key
    join project p on p.key = b.project_key join organization o on o.key = b.organization_key
    where a.done_at is null and a.activate_at <= (select business_now()) and {_MAY_START}
    order by a.activate_at, a.batch_key limit :limit for update of a skip locked for share of b skip locked""")
# Each lateral look-up ends in a limit, so that the planner walks the indexes whatever it believes of the tables.
# One row comes back, because rows cost more to read than to find.
_CLAIMS = text("""
    select string_agg(int8send(due.position), ''::bytea), string_agg(int8send(c.device_key), ''::bytea),
        string_agg(int8send(d.prepaid_months), ''::bytea)
    from unnest((select :batches)::bigint[], (select :nexts)::bigint[])
        with ordinality as due (batch_key, next_device, position)
    cross join lateral (select device_key from claim
        where claim.batch_key = due.batch_key and device_key >= due.next_device order by device_key limit :size) c
    cross join lateral (select prepaid_months from device
        where device.key = c.device_key and prepaid_months > 0 limit 1) d""")
_PERIODS = text("""
    select (extract(epoch from starts_at) * 1000000)::bigint,
        (extract(epoch from period_end(starts_at, months, time_zone)) * 1000000)::bigint
    from unnest(cast(:starts as timestamptz[]), cast(:months as int[]), cast(:zones as text[]))
        with ordinality as period (starts_at, months, time_zone, position)
    order by position""")
_INSERT = text("""
    insert into subscription (device_key, state, activate_at, starts_at, ends_at)
    select device_key, 'active', starts_at, starts_at, 'epoch'::timestamptz + ends * interval '1 microsecond'
    from unnest((select :keys)::bigint[], (select :starts)::bigint[], (select :ends)::bigint[])
        as started (device_key, starts, ends)
    cross join lateral (select 'epoch'::timestamptz + starts * interval '1 microsecond' as starts_at) as at
    order by device_key on conflict do nothing
    returning device_key""")
_ADVANCE = text("""
    update activation set next_device = :next, activated = :activated, months = :months,
        done_at = case when :done then clock_timestamp() end
    where batch_key = :batch and done_at is null""").bindparams(bindparam("months", type_=JSONB))
# The update says nothing of the state, which the lock has settled: a partial index would then be walked for each key.
_START_PLANNED = text(f"""
    with due as materialized (
        select s.device_key from subscription s
        cross join lateral (select batch_key from claim where claim.device_key = s.device_key limit 1) c
        join batch b on b.key = c.batch_key
        where s.state = 'scheduled' and s.activate_at <= (select business_now()) and {_MAY_START}
        limit :limit for update of s skip locked for share of b skip locked
    ), started as (
        update subscription s set (state, starts_at, ends_at) = (
            select 'active', starts_at, period_end(starts_at, d.prepaid_months, o.time_zone)
            from claim c join batch b on b.key = c.batch_key join organization o on o.key = b.organization_key
            join device d on d.key = c.device_key
            cross join lateral (select greatest(s.activate_at, b.hold_until) as starts_at) as at
            where c.device_key = s.device_key)
        where s.device_key = any((select array_agg(device_key) from due)::bigint[])
        returning s.device_key, s.starts_at
    )
    select p.organization_key, p.key as project_key, p.public_id as project_id, d.prepaid_months as months,
        count(*) as activated, min(started.starts_at) as starts_at
    from started join claim c on c.device_key = started.device_key join project p on p.key = c.project_key
    join device d on d.key = started.device_key
    group by p.key, d.prepaid_months order by p.key, d.prepaid_months""")
# PostgreSQL counts microseconds from 2000-01-01.
_POSTGRES_EPOCH = 946_684_800_000_000
_STARTED = b"active"


@dataclass(frozen=True)
class DueBatch:
    """A batch whose claims are to start, those below `next_device` have been seen to."""

    batch_key: int
    batch_id: str
    organization_key: int
    project_key: int
    project_id: str
    claimed: int
    next_device: int
    activated: int
    months: dict[str, int]
    starts_at: datetime
    time_zone: str


@dataclass(frozen=True)
class Start:
    """Devices (ascending keys) and their periods in microseconds since 1970."""

    keys: Keys
    starts: Keys
    ends: Keys


def forget_reverted(connection: Connection) -> None:
    """Strike what batches that were taken back had left to start."""
    connection.execute(_FORGET_REVERTED)


def take_due_batches(connection: Connection, limit: int) -> list[DueBatch]:
    """Batches whose claims are due and that nobody works on, the longest due first; locked until the commit."""
    return [DueBatch(**row) for row in connection.execute(_TAKE, {"limit": limit}).mappings()]


def fetch_claims(connection: Connection, due: Sequence[DueBatch], size: int) -> Table:
    """The next claims of each batch, at most `size`: its `position` (from 1), `device_key` and `months`; by device."""
    values = {
        "batches": np.array([batch.batch_key for batch in due], dtype=np.int64),
        "nexts": np.array([batch.next_device for batch in due], dtype=np.int64),
        "size": size,
    }
    packed = connection.execute(_CLAIMS, values).one()
    claims = np.zeros(len(packed[0] or b"") // 8, dtype=CLAIM)
    for name, column in zip(claims.dtype.names or (), packed, strict=True):
        claims[name] = np.frombuffer(column or b"", dtype=">i8")
    return claims[np.argsort(claims["device_key"])]


def compute_periods(connection: Connection, wanted: Iterable[tuple[datetime, int, str]]) -> Keys:
    """Start and end of each (start, calendar months, time zone), in microseconds since 1970."""
    starts, months, zones = map(list, zip(*wanted, strict=True))
    rows = connection.execute(_PERIODS, {"starts": starts, "months": months, "zones": zones}).all()
    return np.array([tuple(row) for row in rows], dtype=np.int64)


def insert_started(connection: Connection, start: Start) -> Keys:
    """Start the subscriptions of those devices that have none yet; returns their keys."""
    if _copy_started(connection, start):
        return start.keys
    values = {"keys": start.keys, "starts": start.starts, "ends": start.ends}
    return np.array(connection.execute(_INSERT, values).scalars().all(), dtype=np.int64)


def advance(
    connection: Connection, batch: DueBatch, next_device: int, activated: int, months: dict[str, int], *, done: bool
) -> None:
    """Note how far the activation of a batch has come."""
    values = {"batch": batch.batch_key, "next": next_device, "activated": activated, "months": months, "done": done}
    connection.execute(_ADVANCE, values)


def start_planned(connection: Connection, limit: int) -> Sequence[Row[Any]]:
    """Start up to `limit` subscriptions with a plan of their own that are due; returns what was started by project."""
    return connection.execute(_START_PLANNED, {"limit": limit}).all()


def _copy_started(connection: Connection, start: Start) -> bool:
    """Whether none of the devices had a subscription: COPY is twice as fast, but one that has undoes it all."""
    starts, ends = start.starts - _POSTGRES_EPOCH, start.ends - _POSTGRES_EPOCH
    columns = [
        Column("device_key", 8, start.keys),
        Column("state", len(_STARTED), _STARTED),
        Column("activate_at", 8, starts),
        Column("starts_at", 8, starts),
        Column("ends_at", 8, ends),
    ]
    savepoint = connection.begin_nested()
    try:
        copy_rows(connection, "subscription", [(columns, len(start.keys))])
    except psycopg.errors.UniqueViolation:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True
