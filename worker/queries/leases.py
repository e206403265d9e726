"""Leases: work items taken before the work starts, ended under their fence, handed back."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, text

from worker.queries.batches import BATCH_COLUMNS, Batch, batch_from_row
from worker.states import Queue, WorkKind


@dataclass(frozen=True)
class WorkItem:
    """A step of a batch under a lease that was committed before the work starts."""

    key: int
    kind: WorkKind
    number: int
    rows: int
    fence: int
    attempts: int
    lease: timedelta
    batch: Batch


@dataclass(frozen=True)
class Orphan:
    """A work item that its worker left, by a dead lease or for good, and the server process that held it."""

    key: int
    kind: WorkKind
    batch_key: int
    batch_id: str
    attempts: int
    backend_pid: int | None
    backend_start: datetime | None


@dataclass(frozen=True)
class Terms:
    """How long a lease lasts: a base, and more for every million rows of the work."""

    base: timedelta
    per_million_rows: timedelta
    most_rows: int


FEW = 16  # more workers than that seldom ask at the same moment

# A lease is dead when its time is over, or as soon as the database connection that it was committed on is gone:
# whatever that connection had begun can never be committed.
_DEAD = """(w.lease_expires_at < clock_timestamp()
    or not exists (select from pg_stat_activity a where a.pid = w.backend_pid
        and coalesce(a.backend_start, w.backend_start) = w.backend_start))"""
_OPEN = """w.done_at is null and (w.kind <> 'finish' or not exists (select from work_item a
    where a.batch_key = w.batch_key and a.kind = 'apply' and a.done_at is null))
    and not exists (select from halt h where h.kind = 'pause' and (h.queue is null or h.queue = w.queue)
        and (h.organization_key is null or h.organization_key = w.organization_key))"""
FREE = f"{_OPEN} and (w.lease_expires_at is null or {_DEAD})"

# Whoever changes a batch locks it before its items, and whoever takes an item updates the batch: it would be a deadlock
# to wait for it. What is being cancelled is left to the doorbell that the cancel rings.
_LOCKED = "for update of w skip locked for key share of b skip locked"

# By its key first: with thousands of batches waiting, a plan that begins with their work items reads them all.
_OF_BATCH = "w.batch_key = (select key from batch where public_id = :batch_id) and w.kind = :kind"

_FIND_ORPHAN = text(f"""
    select w.key, w.kind, w.batch_key, b.public_id as batch_id, w.attempts, w.backend_pid, w.backend_start
    from work_item w join batch b on b.key = w.batch_key
    where {_OF_BATCH} and {_OPEN}
        and case when w.lease_expires_at is null then w.attempts >= :max_attempts else {_DEAD} end
    order by w.number limit 1 {_LOCKED}""")
_BACKEND = text("select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()")
_END_BACKEND = text(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid = :pid and backend_start = :start"
)
# Leases grow in steps of 10,000 rows, so that those of small batches are all alike.
_LEASE = """(cast(:base as interval) + cast(:per_million_rows as interval) * (ceil(
    (case when w.rows > 0 then w.rows else least(b.input_bytes / 8, :most_rows) end) / 10000.0) / 100))"""
# The server's own death is not the worker's: such an attempt does not count. A lease that is lost because the
# server crashed is the lease of a server process that is gone, so its commit need not wait for the disk.
_TAKE = f"""
    taken as (
        update work_item w set fence = fence + 1,
            attempts = attempts + 1 - (case when backend_start < pg_postmaster_start_time() and attempts > 0
                then 1 else 0 end),
            lease_expires_at = clock_timestamp() + chosen.lease, ring_at = clock_timestamp(),
            backend_pid = :pid, backend_start = :start
        from chosen where w.key = chosen.key
        returning w.key as work_key, w.kind, w.number, w.rows, w.fence, w.attempts, w.batch_key, chosen.lease
    ), started as (
        update batch set state = 'resolving', started_at = clock_timestamp()
        from taken where batch.key = taken.batch_key and batch.state = 'received' and taken.kind = 'resolve'
    )
    select taken.*, {BATCH_COLUMNS}, set_config('synchronous_commit', 'off', true) as lazily
    from taken join batch b on b.key = taken.batch_key"""
_FRESH = f"{_OPEN} and w.lease_expires_at is null and w.attempts < :max_attempts"
_TAKE_FRESH = text(f"""
    with chosen as (
        select w.key, {_LEASE} as lease from work_item w join batch b on b.key = w.batch_key
        where {_OF_BATCH} and {_FRESH} and w.queue = coalesce(:queue, w.queue)
        order by w.number limit 1 {_LOCKED}
    ), {_TAKE}""")
# Organizations take turns: the next step is one of whoever has the fewest under way. Those that have work are found by
# jumping from one to the next in the index, however much work each has; the dice decide between equals.
_WAITING = "w.queue = (select queue from asked) and w.done_at is null and w.lease_expires_at is null"
_TAKE_TURN = text(f"""
    with recursive asked as materialized (
        select queue from batch where public_id = :batch_id
    ), organizations (key) as (
        (select w.organization_key from work_item w where {_WAITING} order by w.organization_key limit 1)
        union all
        select (select w.organization_key from work_item w where {_WAITING} and w.organization_key > organizations.key
            order by w.organization_key limit 1)
        from organizations where organizations.key is not null
    ), turns as materialized (
        select organizations.key, under_way.items, random() as dice from organizations cross join lateral (
            select count(*) as items from work_item r where r.organization_key = organizations.key
                and r.lease_expires_at is not null and r.queue = (select queue from asked)) as under_way
        where under_way.items < :running_at_most
        order by under_way.items, dice limit {FEW}
    ), candidates as materialized (
        select first.*, turns.items, turns.dice from turns cross join lateral (
            select w.key, w.batch_key, w.number from work_item w
            where {_WAITING} and w.organization_key = turns.key and {_FRESH}
            order by w.batch_key, w.number limit {FEW}) as first
    ), chosen as (
        select locked.* from (select * from candidates order by items, dice, batch_key, number) as candidate
        cross join lateral (
            select w.key, {_LEASE} as lease from work_item w join batch b on b.key = w.batch_key
            where w.key = candidate.key and {_FRESH} {_LOCKED}) as locked
        limit 1
    ), {_TAKE}""")
_FIND_WAITING = text(f"""
    select w.kind, b.public_id from work_item w join batch b on b.key = w.batch_key
    where w.queue = :queue and w.done_at is null and w.lease_expires_at is null and {_FRESH}
    order by w.organization_key, w.batch_key limit 1""")
_TAKE_OVER = text(f"""
    with chosen as (
        select w.key, {_LEASE} as lease from work_item w join batch b on b.key = w.batch_key where w.key = :key
    ), {_TAKE}""")
_LOCK = text("select key from work_item where key = :key and fence = :fence and done_at is null for update")
_END = text("""
    update work_item set done_at = clock_timestamp(), end_state = 'done', lease_expires_at = null,
        backend_pid = null, backend_start = null
    where key = :key and fence = :fence and done_at is null""")
_POISON = text("""
    update work_item set done_at = clock_timestamp(), end_state = 'poisoned', lease_expires_at = null,
        backend_pid = null, backend_start = null, fence = fence + 1
    where key = :key""")
_HAND_BACK = text("""
    update work_item set attempts = attempts - :refund, lease_expires_at = null, backend_pid = null,
        backend_start = null, ring_at = clock_timestamp() + :pause
    where key = :key and fence = :fence and done_at is null""")
_REFUND = text("""
    update work_item set attempts = attempts - 1
    where key = :key and fence > :fence and done_at is null and attempts > 1""")


def take_fresh(
    connection: Connection,
    batch_id: str,
    kind: WorkKind,
    max_attempts: int,
    terms: Terms,
    backend: tuple[int, datetime],
    queue: Queue | None = None,
) -> WorkItem | None:
    """Lease a work item of the batch that nobody holds to `backend`, in any queue or this one; count the attempt."""
    values = {"batch_id": batch_id, "kind": kind, "max_attempts": max_attempts, "queue": queue}
    row = connection.execute(_TAKE_FRESH, {**values, **_lease(terms, backend)}).mappings().one_or_none()
    return None if row is None else _item(row)


def take_turn(
    connection: Connection,
    batch_id: str,
    max_attempts: int,
    terms: Terms,
    backend: tuple[int, datetime],
    running_at_most: int,
) -> WorkItem | None:
    """Lease the next work item of the queue that the batch belongs to; organizations take turns.

    None is taken of an organization that has `running_at_most` under way in that queue.
    """
    values = {"batch_id": batch_id, "max_attempts": max_attempts, "running_at_most": running_at_most}
    row = connection.execute(_TAKE_TURN, {**values, **_lease(terms, backend)}).mappings().one_or_none()
    return None if row is None else _item(row)


def find_waiting(connection: Connection, queue: Queue, max_attempts: int) -> tuple[WorkKind, str] | None:
    """A step that waits in the queue, and its batch."""
    row = connection.execute(_FIND_WAITING, {"queue": queue, "max_attempts": max_attempts}).one_or_none()
    return None if row is None else (WorkKind(row.kind), row.public_id)


def take_over(connection: Connection, key: int, terms: Terms, backend: tuple[int, datetime]) -> WorkItem:
    """Lease an orphan, locked by this transaction, to `backend` and count the attempt."""
    return _item(connection.execute(_TAKE_OVER, {"key": key, **_lease(terms, backend)}).mappings().one())


def find_orphan(connection: Connection, batch_id: str, kind: WorkKind, max_attempts: int) -> Orphan | None:
    """A work item of the batch that is left by its worker, or has had its attempts; locked by this transaction."""
    values = {"batch_id": batch_id, "kind": kind, "max_attempts": max_attempts}
    row = connection.execute(_FIND_ORPHAN, values).mappings().one_or_none()
    return None if row is None else Orphan(**{**row, "kind": WorkKind(row["kind"])})


def own_backend(connection: Connection) -> tuple[int, datetime]:
    """The process id and the start of this connection's server process."""
    row = connection.execute(_BACKEND).one()
    return row.pid, row.backend_start


def end_backend(connection: Connection, pid: int, start: datetime) -> None:
    """End a server process whose lease is over, unless its number belongs to another one by now."""
    connection.execute(_END_BACKEND, {"pid": pid, "start": start})


def lock_item(connection: Connection, item: WorkItem) -> bool:
    """Whether the lease holds, and will until this transaction ends."""
    return connection.execute(_LOCK, {"key": item.key, "fence": item.fence}).one_or_none() is not None


def end_item(connection: Connection, item: WorkItem) -> bool:
    """Whether the lease still held: the item is done now, together with what this transaction did."""
    return connection.execute(_END, {"key": item.key, "fence": item.fence}).rowcount == 1


def poison_item(connection: Connection, key: int) -> None:
    """End a work item that cost too many workers."""
    connection.execute(_POISON, {"key": key})


def hand_back(connection: Connection, item: WorkItem, *, refund: bool, pause: timedelta) -> bool:
    """Whether the lease still held: the item is free again, after `pause` for the sweep."""
    values = {"key": item.key, "fence": item.fence, "refund": int(refund), "pause": pause}
    return connection.execute(_HAND_BACK, values).rowcount == 1


def refund(connection: Connection, item: WorkItem) -> None:
    """Uncount an attempt whose item somebody else has taken over meanwhile; theirs still counts."""
    connection.execute(_REFUND, {"key": item.key, "fence": item.fence})


def _lease(terms: Terms, backend: tuple[int, datetime]) -> dict[str, object]:
    return {**asdict(terms), "pid": backend[0], "start": backend[1]}


def _item(row: RowMapping) -> WorkItem:
    return WorkItem(
        key=row["work_key"],
        kind=WorkKind(row["kind"]),
        number=row["number"],
        rows=row["rows"],
        fence=row["fence"],
        attempts=row["attempts"],
        lease=row["lease"],
        batch=batch_from_row(row),
    )
