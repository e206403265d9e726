"""Leases: work items taken before the work starts, ended under their fence, handed back."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, text

from worker.queries.batches import BATCH_COLUMNS, Batch, batch_from_row
from worker.states import WorkKind


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


# A lease is dead when its time is over, or as soon as the database connection that it was committed on is gone:
# whatever that connection had begun can never be committed.
_DEAD = """(w.lease_expires_at < clock_timestamp()
    or not exists (select from pg_stat_activity a where a.pid = w.backend_pid
        and coalesce(a.backend_start, w.backend_start) = w.backend_start))"""
_OPEN = """w.done_at is null and (w.kind <> 'finish' or not exists (select from work_item a
    where a.batch_key = w.batch_key and a.kind = 'apply' and a.done_at is null))"""
FREE = f"{_OPEN} and (w.lease_expires_at is null or {_DEAD})"

# By its key first: with thousands of batches waiting, a plan that begins with their work items reads them all.
_OF_BATCH = "w.batch_key = (select key from batch where public_id = :batch_id) and w.kind = :kind"

_FIND_ORPHAN = text(f"""
    select w.key, w.kind, w.batch_key, b.public_id as batch_id, w.attempts, w.backend_pid, w.backend_start
    from work_item w join batch b on b.key = w.batch_key
    where {_OF_BATCH} and {FREE}
    order by w.number limit 1 for update of w skip locked""")
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
        where {_OF_BATCH} and {_FRESH}
        order by w.number limit 1 for update of w skip locked
    ), {_TAKE}""")
_TAKE_NEIGHBOUR = text(f"""
    with chosen as (
        select w.key, {_LEASE} as lease from work_item w join batch b on b.key = w.batch_key
        where w.queue = (select queue from batch where public_id = :batch_id) and w.queue = 'interactive'
            and w.kind = 'resolve' and {_FRESH}
        order by w.batch_key limit 1 for update of w skip locked
    ), {_TAKE}""")
_NEIGHBOUR = text("""
    select b.public_id from work_item w join batch b on b.key = w.batch_key
    where w.queue = 'interactive' and w.kind = 'resolve' and w.done_at is null and w.lease_expires_at is null
    order by w.batch_key limit 1""")
_TAKE_OVER = text(f"""
    with chosen as (
        select w.key, {_LEASE} as lease from work_item w join batch b on b.key = w.batch_key where w.key = :key
    ), {_TAKE}""")
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


def take_fresh(
    connection: Connection,
    batch_id: str,
    kind: WorkKind,
    max_attempts: int,
    terms: Terms,
    backend: tuple[int, datetime],
) -> WorkItem | None:
    """Lease a work item of the batch that nobody holds to `backend` and count the attempt."""
    values = {"batch_id": batch_id, "kind": kind, "max_attempts": max_attempts}
    row = connection.execute(_TAKE_FRESH, {**values, **_lease(terms, backend)}).mappings().one_or_none()
    return None if row is None else _item(row)


def take_neighbour(
    connection: Connection, batch_id: str, max_attempts: int, terms: Terms, backend: tuple[int, datetime]
) -> WorkItem | None:
    """Lease the oldest resolve item that waits in the interactive queue, if that is where the batch belongs."""
    values = {"batch_id": batch_id, "max_attempts": max_attempts}
    row = connection.execute(_TAKE_NEIGHBOUR, {**values, **_lease(terms, backend)}).mappings().one_or_none()
    return None if row is None else _item(row)


def find_neighbour(connection: Connection) -> str | None:
    """The oldest batch that waits in the interactive queue to be resolved."""
    return connection.execute(_NEIGHBOUR).scalar_one_or_none()


def take_over(connection: Connection, key: int, terms: Terms, backend: tuple[int, datetime]) -> WorkItem:
    """Lease an orphan, locked by this transaction, to `backend` and count the attempt."""
    return _item(connection.execute(_TAKE_OVER, {"key": key, **_lease(terms, backend)}).mappings().one())


def find_orphan(connection: Connection, batch_id: str, kind: WorkKind) -> Orphan | None:
    """A work item of the batch that is left by its worker, locked until the transaction ends."""
    row = connection.execute(_FIND_ORPHAN, {"batch_id": batch_id, "kind": kind}).mappings().one_or_none()
    return None if row is None else Orphan(**{**row, "kind": WorkKind(row["kind"])})


def own_backend(connection: Connection) -> tuple[int, datetime]:
    """The process id and the start of this connection's server process."""
    row = connection.execute(_BACKEND).one()
    return row.pid, row.backend_start


def end_backend(connection: Connection, pid: int, start: datetime) -> None:
    """End a server process whose lease is over, unless its number belongs to another one by now."""
    connection.execute(_END_BACKEND, {"pid": pid, "start": start})


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
