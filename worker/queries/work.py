"""Work items: made and cancelled with their batch, rung for again by the sweep."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.queries.leases import FREE
from worker.states import Queue, WorkKind


@dataclass(frozen=True)
class Due:
    """A work item that nobody works on."""

    kind: WorkKind
    queue: Queue
    batch_id: str


_ADD = text("""
    insert into work_item (batch_key, organization_key, kind, number, queue, rows, ring_at)
    select key, organization_key, :kind, :number, :queue, :rows, clock_timestamp() + :ring_again
    from batch where key = :batch""")
_ADD_NEXT_RESOLVE = text("""
    insert into work_item (batch_key, organization_key, kind, number, queue, ring_at)
    select batch_key, organization_key, 'resolve', max(number) + 1, :queue, clock_timestamp() + :ring_again
    from work_item where batch_key = :batch and kind = 'resolve' group by batch_key, organization_key""")
_EXPECT = text("update work_item set rows = :rows where batch_key = :batch and kind = 'resolve'")
_FORGET = text("delete from work_item where batch_key = :batch and kind <> 'resolve'")
# The raised fence makes whoever works on them fail its guard.
_CANCEL_APPLIES = text("""
    update work_item set fence = fence + 1, done_at = clock_timestamp(), end_state = 'cancelled',
        lease_expires_at = null, backend_pid = null, backend_start = null
    where batch_key = :batch and kind = 'apply' and done_at is null""")
_TAKE_BACK = text("""
    update work_item set fence = fence + 1, lease_expires_at = null, backend_pid = null, backend_start = null,
        ring_at = clock_timestamp() + :ring_again
    where batch_key = :batch and kind = 'resolve' and done_at is null""")
_REOPEN = text("""
    update work_item set done_at = null, end_state = null, attempts = 0, fence = fence + 1,
        ring_at = clock_timestamp() + :ring_again
    where batch_key = :batch and (end_state = 'poisoned' or (kind = 'finish' and end_state = 'done'))
    returning kind, queue""")
_OPEN_APPLIES = text("select count(*) from work_item where batch_key = :batch and kind = 'apply' and done_at is null")
_OPEN = text("select exists (select from work_item where done_at is null)")
_POISONED = text("select exists (select from work_item where batch_key = :batch and end_state = 'poisoned')")
_DUE = text(f"""
    update work_item set ring_at = clock_timestamp() + :ring_again
    from batch b where b.key = work_item.batch_key and work_item.key in (
        select w.key from work_item w where w.queue = :queue and w.ring_at <= clock_timestamp() and {FREE}
        order by w.ring_at limit :limit for update skip locked)
    returning work_item.kind, work_item.queue, b.public_id""")


def add_items(
    connection: Connection,
    batch: int,
    kind: WorkKind,
    queue: Queue,
    rows: Iterable[int],
    ring_again: timedelta,
) -> None:
    """One work item for each number in `rows`, which is how many rows it covers."""
    values = [
        {
            "batch": batch,
            "kind": kind,
            "number": number,
            "queue": queue,
            "rows": count,
            "ring_again": ring_again,
        }
        for number, count in enumerate(rows)
    ]
    connection.execute(_ADD, values)


def expect_rows(connection: Connection, batch: int, rows: int) -> None:
    """Tell the resolve item of a batch without an input how many rows to expect."""
    connection.execute(_EXPECT, {"batch": batch, "rows": rows})


def start_over(connection: Connection, batch: int, queue: Queue, ring_again: timedelta) -> None:
    """A new resolve item, and no trace of earlier apply and finish items."""
    connection.execute(_FORGET, {"batch": batch})
    connection.execute(_ADD_NEXT_RESOLVE, {"batch": batch, "queue": queue, "ring_again": ring_again})


def cancel_items(connection: Connection, batch: int, ring_again: timedelta) -> None:
    """Raise the fence of all open items: applies end, a resolve is free for whoever writes the results."""
    connection.execute(_CANCEL_APPLIES, {"batch": batch})
    connection.execute(_TAKE_BACK, {"batch": batch, "ring_again": ring_again})


def reopen_items(connection: Connection, batch: int, ring_again: timedelta) -> Sequence[Row[Any]]:
    """Open the poisoned items of a batch again, and its finish; returns (kind, queue) of each."""
    return connection.execute(_REOPEN, {"batch": batch, "ring_again": ring_again}).all()


def count_open_applies(connection: Connection, batch: int) -> int:
    """How many apply items of the batch have not ended."""
    return int(connection.execute(_OPEN_APPLIES, {"batch": batch}).scalar_one())


def has_open_items(connection: Connection) -> bool:
    """Whether any batch has work that is not done."""
    return bool(connection.execute(_OPEN).scalar_one())


def has_poisoned(connection: Connection, batch: int) -> bool:
    """Whether an item of the batch was ended for the workers that it cost."""
    return bool(connection.execute(_POISONED, {"batch": batch}).scalar_one())


def take_due(connection: Connection, queue: Queue, limit: int, ring_again: timedelta) -> list[Due]:
    """Up to `limit` work items of the queue that nobody works on, longest waiting first; not due again for a while."""
    rows = connection.execute(_DUE, {"queue": queue, "limit": limit, "ring_again": ring_again})
    return [Due(WorkKind(row.kind), Queue(row.queue), row.public_id) for row in rows]
