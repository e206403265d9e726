"""Batches: made, read, moved from state to state by guarded updates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import bindparam

from worker.states import BatchState, Mode, Operation, Queue


@dataclass(frozen=True)
class Batch:
    """A batch as the steps of its work see it."""

    key: int
    public_id: str
    organization_key: int
    project_key: int
    parent_key: int | None
    operation: Operation
    state: BatchState
    mode: Mode
    queue: Queue
    source: str
    upload_key: int | None
    activate_on: date | None
    input_bytes: int
    preview: bool
    confirmed: bool
    cancelled: bool
    require_unchanged: bool
    max_claims: int | None
    problem: dict[str, Any] | None
    dialect: dict[str, Any] | None
    rows_total: int | None
    pruned: bool

    @property
    def only_looks(self) -> bool:
        """Whether this run claims nothing: a preview that was not confirmed."""
        return self.preview and not self.confirmed

    @property
    def repeats_its_parent(self) -> bool:
        """Whether its devices are those of its parent, which was within all limits."""
        return self.source == "devices" and self.parent_key is not None

    @property
    def rests_on_one_decision(self) -> bool:
        """Whether all of it must be claimed in one transaction or nothing."""
        return not self.only_looks and (self.mode is Mode.ATOMIC or self.require_unchanged)


BATCH_COLUMNS = """b.key, b.public_id, b.organization_key, b.project_key, b.parent_key, b.operation, b.state, b.mode,
    b.queue, b.source, b.upload_key, b.activate_on, b.input_bytes,
    b.preview, b.confirmed_at is not null as confirmed, b.cancel_requested_at is not null as cancelled,
    b.require_unchanged, b.max_claims, b.problem, b.dialect, b.rows_total,
    b.input_pruned_at is not null or b.results_pruned_at is not null as pruned"""


def batch_from_row(row: RowMapping) -> Batch:
    """The batch in a row that has (at least) BATCH_COLUMNS."""
    values = {name: row[name] for name in Batch.__dataclass_fields__}
    values |= {
        "operation": Operation(row["operation"]),
        "state": BatchState(row["state"]),
        "mode": Mode(row["mode"]),
        "queue": Queue(row["queue"]),
    }
    return Batch(**values)


_KNOWN = text("select public_id from batch where public_id = any(cast(:batches as text[]))")
_INSERT = text("""
    with b as (
        insert into batch (public_id, organization_key, project_key, operation, mode, preview, max_claims, reference,
            file_name, parent_key, source, upload_key, input_bytes, input_sha256, queue, created_by,
            activate_on, accepted_on)
        values (:public_id, :organization_key, :project_key, :operation, :mode, :preview, :max_claims, :reference,
            :file_name, :parent_key, :source, :upload_key, :input_bytes, :input_sha256, :queue, :created_by,
            :activate_on,
            (select (business_now() at time zone time_zone)::date from organization where key = :organization_key))
        returning key, created_at
    ), w as (
        insert into work_item (batch_key, organization_key, kind, number, queue, ring_at)
        select key, :organization_key, 'resolve', 0, :queue, clock_timestamp() + :ring_again from b
    )
    select key, created_at from b""")

_VIEW = """
    select b.*, p.public_id as project_id, p.name as project_name, parent.public_id as parent_id,
        case when b.state in ('applying', 'reverting') then
            (select coalesce(sum(rows) filter (where end_state = 'done'), 0)::float8 / greatest(sum(rows), 1)
             from work_item w where w.batch_key = b.key and w.kind = 'apply') end as share_done,
        clock_timestamp() as now, children.*
    from batch b join project p on p.key = b.project_key left join batch parent on parent.key = b.parent_key
    cross join lateral (
        select (array_agg(public_id order by key))[greatest(1, count(*)::int - 99):] as children,
            sum(mended_rows) filter (where state not in ('reverting', 'reverted')) as mended
        from (select key, public_id, state, mended_rows from batch where parent_key = b.key) as child) as children"""
_VIEW_ONE = text(f"{_VIEW} where b.public_id = :batch_id and b.organization_key = :organization_key")
_LIST = text(f"""{_VIEW}
    where b.organization_key = :organization_key
      and (cast(:projects as bigint[]) is null or b.project_key = any(cast(:projects as bigint[])))
      and (cast(:state as text) is null or b.state = :state)
      and (cast(:before as bigint) is null or b.key < :before)
    order by b.key desc limit :limit""")
_KEY = text("select key, project_key from batch where public_id = :batch_id and organization_key = :organization_key")
_WAITING = text("""
    select count(*) from (select 1 from batch where organization_key = :organization_key
        and state in ('received', 'resolving', 'applying', 'reverting') limit :limit) as waiting""")
_WAITING_IN_ALL = text("""
    select count(*) from (select 1 from batch
        where state in ('received', 'resolving', 'applying', 'reverting') limit :limit) as waiting""")
_LOCK = text(
    f"select {BATCH_COLUMNS}, b.preview_expires_at < clock_timestamp() as lapsed from batch b "
    "where b.key = :batch for update of b"
)
_CONFIRM = text("""
    update batch set state = 'resolving', confirmed_at = clock_timestamp(), require_unchanged = :require_unchanged,
        preview_expires_at = null, started_at = clock_timestamp()
    where key = :batch and state = 'previewed' and cancel_requested_at is null""")
_REQUEST_CANCEL = text("""
    update batch set cancel_requested_at = clock_timestamp()
    where key = :batch and cancel_requested_at is null
      and operation <> 'revert' and state in ('received', 'resolving', 'applying', 'previewed')""")
_RESUME = text("""
    update batch set state = :state, finished_at = null, problem = null, results_total = null, totals = '{}'
    where key = :batch and state = 'failed'""")
_START_APPLYING = text("""
    update batch set state = 'applying', dialect = :dialect, rows_total = :rows_total, queue = :queue
    where key = :batch and state in ('received', 'resolving')""").bindparams(bindparam("dialect", type_=JSONB))
# What a claim leaves behind is due from here on: once its hold window is over, and not before the day it wished for.
_FINISH = text("""
    with hold as materialized (
        select b.key, case when b.operation = 'claim' and :state in ('completed', 'cancelled')
                then business_now() + :hold_window end as hold_until,
            b.activate_on::timestamp at time zone o.time_zone as wished
        from batch b join organization o on o.key = b.organization_key where b.key = :batch
    ), ended as (
        update batch set state = :state, problem = :problem, dialect = coalesce(:dialect, dialect),
            rows_total = coalesce(:rows_total, rows_total), results_total = :results_total, totals = :totals,
            drift = :drift, failed_rows = :failed_rows, hold_until = hold.hold_until,
            activate_at = case when hold.hold_until is not null then greatest(hold.hold_until, hold.wished) end,
            finished_at = case when :state <> 'previewed' then clock_timestamp() end,
            preview_expires_at = case when :state = 'previewed' then clock_timestamp() + :preview_lifetime end
        from hold where batch.key = hold.key and state in ('received', 'resolving', 'applying', 'previewed')
        returning batch.key, batch.activate_at, batch.totals
    ), due as (
        insert into activation (batch_key, activate_at)
        select key, activate_at from ended where activate_at is not null and totals ? 'claimed'
    )
    select count(*) from ended""").bindparams(
    bindparam("problem", type_=JSONB(none_as_null=True)),
    bindparam("dialect", type_=JSONB(none_as_null=True)),
    bindparam("totals", type_=JSONB),
)
_SET_INPUT = text("""
    update batch set upload_key = :upload, input_bytes = :size, input_sha256 = :sha256 where key = :batch""")
_BEGIN_REVERT = text("""
    update batch set state = 'reverting'
    where key = :batch and operation = 'claim' and state in ('completed', 'cancelled')
      and (select business_now()) < hold_until""")
_END_REVERT = text("""
    with due as (delete from activation where batch_key = :batch)
    update batch set state = 'reverted' where key = :batch and state = 'reverting'""")
_SET_PROBLEM = text("update batch set problem = :problem where key = :batch").bindparams(
    bindparam("problem", type_=JSONB(none_as_null=True))
)
_FAIL = text("""
    update batch set state = 'failed', problem = :problem, finished_at = clock_timestamp()
    where key = :batch and state in ('received', 'resolving', 'applying')""").bindparams(
    bindparam("problem", type_=JSONB)
)
_LAPSED = text("""
    update batch set cancel_requested_at = clock_timestamp(), problem = :problem
    where key in (select key from batch where state = 'previewed' and preview_expires_at < clock_timestamp()
        and cancel_requested_at is null order by preview_expires_at limit 100 for update skip locked)
    returning key, public_id, queue""").bindparams(bindparam("problem", type_=JSONB))


def insert_batch(connection: Connection, values: Mapping[str, object], ring_again: timedelta) -> tuple[int, datetime]:
    """A new batch with its first work item; returns its key and the time of its making."""
    row = connection.execute(_INSERT, {**values, "ring_again": ring_again}).one()
    return row.key, row.created_at


def find_batch(connection: Connection, organization_key: int, batch_id: str) -> tuple[int, int] | None:
    """The batch's key and its project's, or None if the organization has no such batch."""
    row = connection.execute(_KEY, {"batch_id": batch_id, "organization_key": organization_key}).one_or_none()
    return (row.key, row.project_key) if row else None


def find_known(connection: Connection, batch_ids: Sequence[str]) -> set[str]:
    """Those of the batches that there are."""
    return set(connection.execute(_KNOWN, {"batches": list(batch_ids)}).scalars())


def view_batch(connection: Connection, organization_key: int, batch_id: str) -> RowMapping | None:
    """All that is shown of one batch."""
    values = {"batch_id": batch_id, "organization_key": organization_key}
    return connection.execute(_VIEW_ONE, values).mappings().one_or_none()


def list_batches(
    connection: Connection,
    organization_key: int,
    projects: Sequence[int] | None,
    state: BatchState | None,
    before: int | None,
    limit: int,
) -> Sequence[RowMapping]:
    """Batches, newest first; `projects` None means all, `before` is the key of the last one seen."""
    values = {
        "organization_key": organization_key,
        "projects": None if projects is None else list(projects),
        "state": state,
        "before": before,
        "limit": limit,
    }
    return connection.execute(_LIST, values).mappings().all()


def count_waiting(connection: Connection, organization_key: int | None, limit: int) -> int:
    """How many unfinished batches the organization has, None: all together; counts no further than `limit`."""
    statement = _WAITING_IN_ALL if organization_key is None else _WAITING
    values = {"organization_key": organization_key, "limit": limit}
    return int(connection.execute(statement, values).scalar_one())


def lock_batch(connection: Connection, batch: int) -> tuple[Batch, bool]:
    """The batch, locked until the transaction ends, and whether its preview has lapsed."""
    row = connection.execute(_LOCK, {"batch": batch}).mappings().one()
    return batch_from_row(row), bool(row["lapsed"])


def confirm_batch(connection: Connection, batch: int, *, require_unchanged: bool) -> bool:
    """Whether the batch was waiting for its confirmation; it is `resolving` now."""
    return connection.execute(_CONFIRM, {"batch": batch, "require_unchanged": require_unchanged}).rowcount == 1


def request_cancel(connection: Connection, batch: int) -> bool:
    """Whether the batch could still be cancelled; its steps end it now."""
    return connection.execute(_REQUEST_CANCEL, {"batch": batch}).rowcount == 1


def resume_batch(connection: Connection, batch: int, state: BatchState) -> bool:
    """Whether the batch had failed; it is in `state` again."""
    return connection.execute(_RESUME, {"batch": batch, "state": state}).rowcount == 1


def start_applying(connection: Connection, batch: int, dialect: dict[str, Any], rows_total: int, queue: Queue) -> bool:
    """Whether the batch was still being resolved; it is `applying` now."""
    values = {"batch": batch, "dialect": dialect, "rows_total": rows_total, "queue": queue}
    return connection.execute(_START_APPLYING, values).rowcount == 1


def finish_batch(connection: Connection, batch: int, values: Mapping[str, object]) -> bool:
    """Whether the batch was still open; it is in its end state (or `previewed`) now."""
    return bool(connection.execute(_FINISH, {"batch": batch, **values}).scalar_one())


def set_input(connection: Connection, batch: int, upload: int, size: int, sha256: bytes) -> None:
    """Give a batch the list of devices that was made for it; `size` in bytes."""
    connection.execute(_SET_INPUT, {"batch": batch, "upload": upload, "size": size, "sha256": sha256})


def begin_revert(connection: Connection, batch: int) -> bool:
    """Whether the batch's claims can still be given back; it is `reverting` now. Lock it first."""
    return connection.execute(_BEGIN_REVERT, {"batch": batch}).rowcount == 1


def end_revert(connection: Connection, batch: int) -> bool:
    """Whether the batch was `reverting`; it is `reverted` now, and nothing of it will be activated."""
    return connection.execute(_END_REVERT, {"batch": batch}).rowcount == 1


def set_problem(connection: Connection, batch: int, problem: dict[str, Any]) -> None:
    """Note why the batch is going to be rejected."""
    connection.execute(_SET_PROBLEM, {"batch": batch, "problem": problem})


def fail_batch(connection: Connection, batch: int, problem: dict[str, Any]) -> bool:
    """Whether the batch was still open; it is `failed` now."""
    return connection.execute(_FAIL, {"batch": batch, "problem": problem}).rowcount == 1


def lapse_previews(connection: Connection, problem: dict[str, Any]) -> Sequence[Row[Any]]:
    """Ask up to 100 lapsed previews to be cancelled; returns (key, public_id, queue) of each."""
    return connection.execute(_LAPSED, {"problem": problem}).all()
