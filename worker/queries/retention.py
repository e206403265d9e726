"""What is kept for a time and then no longer: inputs, results, ended deliveries, digests. Claims and batches stay.

Each function is one small step, and safe beside others that do the same. A batch says at once that its results are
no longer kept; `pruning` has it until the last of them is deleted.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, text

# A step handles so many batches, so many bytes of input, and so many rows of one table at most.
_BATCHES: Final = 500
_BYTES: Final = 67_108_864
_ROWS: Final = 10_000
# Beyond this PostgreSQL has no dates.
_FOREVER: Final = timedelta(days=365 * 1000)

# A failed batch is there to be resumed: for that it needs its input as long as it has claimed something.
_OVER = """{pruned} is null and finished_at < (select business_now()) - cast(:keep as interval)
    and (hold_until is null or hold_until < (select business_now()))
    and (state in ('completed', 'rejected', 'cancelled', 'reverted') or state = 'failed'
        and finished_at < (select business_now()) - cast(:keep_failed as interval)
        and not exists (select from claim where claim.batch_key = batch.key))"""
_OLD = """
    with old as materialized (
        select key, upload_key, {size} as size from batch where """ + _OVER + """
        order by finished_at limit :most for update skip locked
    ), few as (
        select key, upload_key from (select *, sum(size) over (order by key) - size as before from old) as counted
        where before < :room
    ), marked as (
        update batch set {pruned} = business_now(){{also}} from few where batch.key = few.key
    )"""  # fmt: skip
_MARK_INPUTS = text(
    _OLD.format(size="input_bytes", pruned="input_pruned_at").format(also=", upload_key = null")
    + " select key, upload_key from few"
)
_DELETE_INPUTS = (
    text("delete from upload_block where upload_key = any(cast(:uploads as bigint[]))"),
    text("delete from upload where key = any(cast(:uploads as bigint[]))"),
    text("delete from checkpoint where batch_key = any(cast(:batches as bigint[]))"),
)
_MARK_RESULTS = text(
    _OLD.format(size="coalesce(results_total, 0)", pruned="results_pruned_at").format(also="")
    + " insert into pruning (batch_key) select key from few"
)
_TAKE_MARKED = text("""
    select coalesce(array_agg(batch_key), '{}') from (
        select batch_key from pruning order by batch_key limit :most for update skip locked) as taken""")
# By the place of the row, because otherwise the planner may look each of ten thousand up by itself.
_DELETE_RESULTS = tuple(
    text(f"""
        delete from {table} where ctid = any(array(
            select ctid from {table} where batch_key = any(cast(:batches as bigint[])) limit :rows))""")
    for table in ("mended_row", "kit_row", "resolution", "chunk", "result")
)
_FORGET_MARKED = text("delete from pruning where batch_key = any(cast(:batches as bigint[]))")

# Whoever deletes the last delivery of an event deletes the event; the lock lets only one be the last.
_LOCK_EVENTS = text("""
    with old as materialized (
        select event_key from delivery
        where ended_at is not null and ended_at < (select business_now()) - cast(:keep as interval)
        order by ended_at limit :rows)
    select coalesce(array_agg(key), '{}') from (
        select key from event where key in (select event_key from old)
        order by key for update skip locked) as locked""")
_DELETE_DELIVERIES = text("""
    delete from delivery where event_key = any(cast(:events as bigint[]))
      and ended_at < (select business_now()) - cast(:keep as interval)""")
_DELETE_EVENTS = text("""
    delete from event where key = any(cast(:events as bigint[]))
      and not exists (select from delivery where event_key = event.key)""")
# The newest says until when the organization has been told.
_DELETE_DIGESTS = text("""
    delete from digest where due_at < (select business_now()) - cast(:keep as interval)
      and exists (select from digest newer
        where newer.organization_key = digest.organization_key and newer.day > digest.day)""")
_BY_INDEX = text("select set_config('enable_seqscan', 'off', true)")


def prune_inputs(connection: Connection, keep: timedelta, keep_failed: timedelta) -> int:
    """Forget the inputs of some batches that ended so long ago; returns of how many."""
    found = connection.execute(_MARK_INPUTS, _limits(keep, keep_failed, _BYTES)).all()
    values = {"batches": [row.key for row in found], "uploads": [row.upload_key for row in found if row.upload_key]}
    for statement in _DELETE_INPUTS if found else ():
        connection.execute(statement, values)
    return len(found)


def mark_old_results(connection: Connection, keep: timedelta, keep_failed: timedelta) -> int:
    """Let some batches that ended so long ago say that their results are no longer kept; returns how many."""
    return connection.execute(_MARK_RESULTS, _limits(keep, keep_failed, _ROWS)).rowcount


def delete_marked_results(connection: Connection) -> int:
    """Delete some results of batches that said so; returns how many rows, 0 once nothing is left of them."""
    batches = connection.execute(_TAKE_MARKED, {"most": _BATCHES}).scalar_one()
    if not batches:
        return 0
    connection.execute(_BY_INDEX)
    deleted = _delete_some(connection, batches)
    if deleted < _ROWS:
        deleted += connection.execute(_FORGET_MARKED, {"batches": batches}).rowcount
    return deleted


def prune_deliveries(connection: Connection, keep: timedelta) -> int:
    """Delete some deliveries that ended so long ago, and events that have no others; returns how many deliveries."""
    kept = min(keep, _FOREVER)
    events = connection.execute(_LOCK_EVENTS, {"keep": kept, "rows": _ROWS}).scalar_one()
    if not events:
        return 0
    deleted = connection.execute(_DELETE_DELIVERIES, {"events": events, "keep": kept}).rowcount
    connection.execute(_DELETE_EVENTS, {"events": events})
    return deleted


def prune_digests(connection: Connection, keep: timedelta) -> int:
    """Delete digests that were due so long ago, but for the newest of each organization; returns how many."""
    return connection.execute(_DELETE_DIGESTS, {"keep": min(keep, _FOREVER)}).rowcount


def _limits(keep: timedelta, keep_failed: timedelta, room: int) -> dict[str, object]:
    return {
        "keep": min(keep, _FOREVER),
        "keep_failed": min(keep_failed, _FOREVER),
        "most": _BATCHES,
        "room": room,
    }


def _delete_some(connection: Connection, batches: Sequence[int]) -> int:
    deleted = 0
    for statement in _DELETE_RESULTS:
        deleted += connection.execute(statement, {"batches": batches, "rows": _ROWS - deleted}).rowcount
        if deleted >= _ROWS:
            break
    return deleted
