"""Deliveries: taken by a lease that is committed before anything is sent, and ended under its fence.

While one is tried, `next_attempt_at` is the end of its lease: what is due is found by one index, whoever left it.
Whoever needs an endpoint and its deliveries locks the endpoint first, several in the order of their keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from worker.queries.halts import MAY_RUN
from worker.states import EndpointKind

# So many failures in a row, and an endpoint is only probed at longer and longer intervals.
PATIENCE: Final = 5


@dataclass(frozen=True)
class Terms:
    """Limits of what is taken: `room` in all, `at_once` for each endpoint on all machines together."""

    kind: EndpointKind
    room: int
    at_once: int
    lease: timedelta


@dataclass(frozen=True)
class Taken:
    """A delivery under a lease, with all that is needed to send it."""

    key: int
    fence: int
    attempts: int
    endpoint_key: int
    kind: EndpointKind
    target: str
    sealed: tuple[bytes, ...]
    event_id: str
    type: str
    occurred_at: datetime
    organization_id: str
    data: dict[str, Any]
    batch_id: str | None


@dataclass(frozen=True)
class Told:
    """What became of one attempt.

    `pause`: seconds until the next; `hold`: seconds for which the endpoint rests; `gone`: for good.
    """

    key: int
    fence: int
    endpoint_key: int
    delivered: bool
    status: int | None
    error: str | None
    pause: float
    hold: float | None = None
    gone: bool = False


@dataclass(frozen=True)
class Reader:
    """For whom an endpoint is told: its organization, or only one of its projects."""

    organization_key: int
    organization_id: str
    project_key: int | None


_OPEN = f"""e.kind = :kind and e.deleted_at is null and e.disabled_at is null
    and (e.retry_at is null or e.retry_at <= clock_timestamp()) and {MAY_RUN.format("e.organization_key")}"""
# An endpoint in trouble is asked one question at a time.
_SLOTS = """(case when e.failures = 0 then :at_once else 1 end
    - (select count(*) from delivery h where h.endpoint_key = e.key and h.lease_expires_at > clock_timestamp()))"""
_DUE = "d.endpoint_key = e.key and d.state = 'waiting' and d.next_attempt_at <= clock_timestamp()"
# Not `for update`: that would wait for everybody who is just making a delivery to the endpoint.
_LOCK_DUE = text(f"""
    select e.key from endpoint e
    where {_OPEN} and exists (select from delivery d where {_DUE}) and {_SLOTS} > 0
    order by random() limit :room for no key update skip locked""")
_TAKE = text(f"""
    with chosen as materialized (
        select mine.key, row_number() over (partition by e.key order by mine.next_attempt_at, mine.key) as place
        from endpoint e cross join lateral (
            select d.key, d.next_attempt_at from delivery d
            where {_DUE} and (d.batch_key is null or not exists (select from delivery before
                where before.endpoint_key = d.endpoint_key and before.batch_key = d.batch_key
                  and before.state = 'waiting' and before.key < d.key))
            order by d.next_attempt_at, d.key
            limit least(:share, greatest({_SLOTS}, 0)) for update of d skip locked) mine
        where e.key = any(cast((select :endpoints) as bigint[])) and {_OPEN}
        order by place, mine.next_attempt_at limit :room
    ), taken as (
        update delivery d set fence = fence + 1, lease_expires_at = clock_timestamp() + :lease,
            next_attempt_at = clock_timestamp() + :lease
        where d.key = any(array(select key from chosen))
        returning d.key, d.fence, d.attempts, d.endpoint_key, d.event_key
    )
    select t.key, t.fence, t.attempts, t.endpoint_key, e.kind, e.target,
        array(select s.sealed from endpoint_secret s where s.endpoint_key = e.key
            and (s.expires_at is null or s.expires_at > clock_timestamp()) order by s.key desc) as sealed,
        v.public_id as event_id, v.type, v.occurred_at, o.public_id as organization_id, v.data,
        (select public_id from batch where key = v.batch_key) as batch_id
    from taken t cross join lateral (select * from event where key = t.event_key offset 0) v
    cross join lateral (select * from endpoint where key = t.endpoint_key offset 0) e
    join organization o on o.key = v.organization_key
    order by t.key""")

_LOCK_ENDPOINTS = text("""
    select from endpoint where key = any(cast((select :endpoints) as bigint[])) order by key for no key update""")
# Where no further attempt fits into its life, the delivery is dead.
_RECORD = text("""
    with told as materialized (
        select * from unnest(cast(:keys as bigint[]), cast(:fences as int[]), cast(:delivered as boolean[]),
            cast(:statuses as int[]), cast(:errors as text[]), cast(:pauses as interval[]))
            as told(key, fence, delivered, status, error, pause)
    )
    update delivery d set attempts = attempts + 1, lease_expires_at = null, last_status = told.status,
        last_error = left(told.error, 2000), next_attempt_at = clock_timestamp() + told.pause,
        state = case when told.delivered then 'delivered'
            when clock_timestamp() + told.pause >= d.give_up_at then 'dead' else 'waiting' end,
        ended_at = case when told.delivered or clock_timestamp() + told.pause >= d.give_up_at
            then clock_timestamp() end
    from told
    where d.key = any(cast((select :keys) as bigint[])) and d.key = told.key and d.fence = told.fence
      and d.state = 'waiting'
    returning d.key""")
_RECOVERED = text("""
    update endpoint set failures = 0, failing_since = null, retry_at = null
    where key = any(cast((select :endpoints) as bigint[])) and (failures > 0 or retry_at is not null)""")
_FAILED = text("""
    with told as materialized (
        select * from unnest(cast(:endpoints as bigint[]), cast(:counts as int[]), cast(:holds as interval[]))
            as told(key, failures, hold)
    )
    update endpoint e set failures = e.failures + told.failures,
        failing_since = coalesce(e.failing_since, clock_timestamp()),
        retry_at = greatest(e.retry_at, clock_timestamp() + told.hold,
            case when e.failures + told.failures >= :patience then clock_timestamp() + (0.5 + random() / 2)
                * least(interval '30 minutes',
                    interval '5 seconds' * power(2, least(e.failures + told.failures - :patience, 9))) end)
    from told where e.key = any(cast((select :endpoints) as bigint[])) and e.key = told.key""")
_LOCK_ENDPOINT = text("select from endpoint where key = :endpoint for update")
_DISABLE = text("""
    update endpoint set disabled_at = clock_timestamp(), disabled_reason = :reason
    where key = :endpoint and disabled_at is null""")
_END_WAITING = text("""
    update delivery set state = 'dead', ended_at = clock_timestamp(), lease_expires_at = null, last_error = :reason
    where endpoint_key = :endpoint and state = 'waiting'""")
_GIVE_UP = text("""
    with given_up as materialized (
        select d.key from endpoint e join delivery d on d.endpoint_key = e.key
        where (e.failing_since <= clock_timestamp() - :lifetime or e.disabled_at is not null)
          and d.state = 'waiting' and d.next_attempt_at <= clock_timestamp() and d.give_up_at <= clock_timestamp()
        limit :most for update of d skip locked
    )
    update delivery set state = 'dead', ended_at = clock_timestamp(), lease_expires_at = null,
        last_error = coalesce(last_error, :reason)
    where key = any(array(select key from given_up))""")
_READER = text("""
    select e.organization_key, o.public_id as organization_id, e.project_key
    from endpoint e join organization o on o.key = e.organization_key where e.key = :endpoint""")


def take_due(connection: Connection, terms: Terms) -> Sequence[Taken]:
    """Lease deliveries that are due: the oldest of each endpoint first, those of one batch one after the other."""
    values = {"kind": terms.kind, "at_once": terms.at_once, "room": terms.room}
    # Counted after it is locked, an endpoint has no more leases than it may, on however many machines.
    endpoints = list(connection.execute(_LOCK_DUE, values).scalars())
    if not endpoints:
        return []
    values |= {"endpoints": endpoints, "share": -(-terms.room // len(endpoints)), "lease": terms.lease}
    return [_taken(row) for row in connection.execute(_TAKE, values).mappings()]


def record_told(connection: Connection, told: Sequence[Told]) -> int:
    """Write down what became of attempts; returns of how many: those whose lease was lost count for nothing."""
    endpoints = sorted({each.endpoint_key for each in told})
    connection.execute(_LOCK_ENDPOINTS, {"endpoints": endpoints})
    columns = {
        "keys": [each.key for each in told],
        "fences": [each.fence for each in told],
        "delivered": [each.delivered for each in told],
        "statuses": [each.status for each in told],
        "errors": [each.error for each in told],
        "pauses": [timedelta(seconds=each.pause) for each in told],
    }
    recorded = set(connection.execute(_RECORD, columns).scalars())
    _note_health(connection, [each for each in told if each.key in recorded])
    return len(recorded)


def disable_endpoint(connection: Connection, endpoint: int, reason: str) -> None:
    """Send nothing to the endpoint any more; what waits for it is dead."""
    values = {"endpoint": endpoint, "reason": reason}
    # Waits for whoever is just making a delivery to it, so that this one is ended, too.
    connection.execute(_LOCK_ENDPOINT, values)
    connection.execute(_DISABLE, values)
    connection.execute(_END_WAITING, values)


def give_up(connection: Connection, lifetime: timedelta, reason: str, most: int) -> int:
    """End up to `most` deliveries that could not be tried in their life, as their endpoint failed for all of it."""
    return connection.execute(_GIVE_UP, {"lifetime": lifetime, "reason": reason, "most": most}).rowcount


def find_reader(connection: Connection, endpoint: int) -> Reader:
    """For whom the endpoint is told."""
    return Reader(**connection.execute(_READER, {"endpoint": endpoint}).mappings().one())


def _note_health(connection: Connection, told: Sequence[Told]) -> None:
    """An endpoint that has taken something is well, whatever else it refused at the same time."""
    well = {each.endpoint_key for each in told if each.delivered}
    failed: dict[int, list[float]] = {}
    for each in told:
        if each.endpoint_key not in well:
            failed.setdefault(each.endpoint_key, []).append(each.hold or 0)
    if well:
        connection.execute(_RECOVERED, {"endpoints": list(well)})
    if failed:
        counts = [len(holds) for holds in failed.values()]
        holds = [timedelta(seconds=max(holds)) if max(holds) else None for holds in failed.values()]
        values = {"endpoints": list(failed), "counts": counts, "holds": holds, "patience": PATIENCE}
        connection.execute(_FAILED, values)


def _taken(row: RowMapping) -> Taken:
    return Taken(**{**row, "kind": EndpointKind(row["kind"]), "sealed": tuple(row["sealed"])})
