"""Digests: when each organization's is due, and those that were written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Connection, RowMapping, text
from sqlalchemy.sql import bindparam

# Two that write digests at once would do all the work twice.
DIGEST_LOCK = 4_715_533_003


@dataclass(frozen=True)
class DueDigest:
    """What an organization is to be told of: from `since` to `due_at` in business time.

    `after` is `since` by the clock that batches end by: with business time ahead, what ends now ended before `since`.
    """

    organization_key: int
    organization_id: str
    organization: str
    time_zone: str
    day: date
    since: datetime
    after: datetime
    due_at: datetime


_LOCK = text("select pg_try_advisory_xact_lock(:lock)")
# What starts late, because nothing ran, started when it was due: a digest that did not wait for it would never tell of
# it. But not for ever, in case that activation itself is broken.
DUE_DIGESTS = """
    with now as materialized (select business_now() as moment),
    unstarted as materialized (
        select least(
            (select a.activate_at from activation a cross join lateral (
                select from batch where key = a.batch_key and state in ('completed', 'cancelled')
                    and hold_until <= (select moment from now) limit 1) b
            where a.done_at is null and a.activate_at <= (select moment from now) order by a.activate_at limit 1),
            (select s.activate_at from subscription s cross join lateral (
                select from batch where key = (select batch_key from claim where device_key = s.device_key)
                    and state in ('completed', 'cancelled') and hold_until <= (select moment from now) limit 1) b
            where s.state = 'scheduled' and s.activate_at <= (select moment from now) order by s.activate_at limit 1)
        ) as oldest
    )
    select o.key as organization_key, o.public_id as organization_id, o.name as organization, o.time_zone,
        (due.due_at at time zone o.time_zone)::date as day, due.due_at,
        coalesce(last.due_at, greatest(due.due_at - interval '1 day', o.created_at)) as since,
        coalesce(least(last.due_at, last.created_at),
            greatest(least(due.due_at, clock_timestamp()) - interval '1 day', o.created_at)) as after
    from organization o cross join now cross join unstarted
    cross join lateral (select latest_seven(now.moment, o.time_zone) as due_at) due
    left join lateral (
        select day, due_at, created_at from digest where organization_key = o.key order by day desc limit 1
    ) last on true
    where due.due_at > o.created_at and (due.due_at <= last.due_at) is not true
        and ((due.due_at at time zone o.time_zone)::date <= last.day) is not true
        and ((unstarted.oldest <= due.due_at) is not true or now.moment > due.due_at + interval '12 hours')
    order by due.due_at, o.key limit :limit"""
_DUE = text(DUE_DIGESTS)
_INSERT = text("""
    insert into digest (organization_key, day, due_at, since, data) values (:organization, :day, :due_at, :since, :data)
    on conflict do nothing""").bindparams(bindparam("data", type_=JSON))
_LIST = text("""
    select day, data from digest where organization_key = :organization
        and (cast(:before as date) is null or day < :before) order by day desc limit :limit""")
_FIND = text("select data from digest where organization_key = :organization and day = :day")


def lock_digests(connection: Connection) -> bool:
    """Whether nobody else writes digests; nobody will until this transaction ends."""
    return bool(connection.execute(_LOCK, {"lock": DIGEST_LOCK}).scalar_one())


def find_due_digests(connection: Connection, limit: int) -> list[DueDigest]:
    """Digests that are due and not written, the oldest first; of several missed days only the last."""
    return [DueDigest(**row) for row in connection.execute(_DUE, {"limit": limit}).mappings()]


def insert_digest(connection: Connection, due: DueDigest, data: Mapping[str, Any]) -> bool:
    """Whether the organization had no digest for this day yet; it has this one now."""
    values = {
        "organization": due.organization_key,
        "day": due.day,
        "due_at": due.due_at,
        "since": due.since,
        "data": dict(data),
    }
    return connection.execute(_INSERT, values).rowcount == 1


def list_digests(connection: Connection, organization: int, before: date | None, limit: int) -> Sequence[RowMapping]:
    """Digests (`day`, `data`), the newest first, from the first before a day on."""
    values = {"organization": organization, "before": before, "limit": limit}
    return connection.execute(_LIST, values).mappings().all()


def find_digest(connection: Connection, organization: int, day: date) -> dict[str, Any] | None:
    """The digest of a day."""
    return connection.execute(_FIND, {"organization": organization, "day": day}).scalar_one_or_none()
