"""What must hold in the database at any moment, as queries for what breaks it.

Each yields one column: what a person has to know about the offender.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from worker.queries.delivery_invariants import DELIVERY_INVARIANTS
from worker.queries.subscription_invariants import SUBSCRIPTION_INVARIANTS

EXAMPLES = 20

_ENDED = "('completed', 'rejected', 'cancelled', 'failed', 'reverting', 'reverted')"

INVARIANTS: Final = MappingProxyType(
    {
        "every row of a batch has its result": """
            select b.public_id || ': ' || coalesce(b.rows_total, 0) || ' rows, results for ' || count(distinct r.row)
            from batch b left join result r on r.batch_key = b.key
            where b.state in ('previewed', 'completed', 'cancelled', 'reverting', 'reverted')
              and b.results_pruned_at is null
            group by b.key having count(distinct r.row) <> coalesce(b.rows_total, 0)
                or min(r.row) <> 1 or max(r.row) <> b.rows_total""",
        "the totals of a batch are those of its results": """
            select b.public_id || ': ' || coalesce(b.results_total, 0) || ' results noted, ' || count(r.row) || ' kept'
            from batch b left join result r on r.batch_key = b.key
            where b.results_total is not null and b.results_pruned_at is null
            group by b.key having count(r.row) <> b.results_total
                or (select coalesce(sum(value::int), 0) from jsonb_each_text(b.totals)) <> count(r.row)""",
        "a device has one result in a row": """
            select b.public_id || ': row ' || r.row from result r join batch b on b.key = r.batch_key
            where r.device_key is not null
            group by b.key, r.row, r.device_key having count(*) > 1""",
        "a result that led to a device names one that exists": """
            select b.public_id || ': row ' || r.row from result r join batch b on b.key = r.batch_key
            left join device d on d.key = r.device_key where r.device_key is not null and d.key is null""",
        "a duplicate repeats an earlier row": """
            select b.public_id || ': row ' || r.row from result r join batch b on b.key = r.batch_key
            where b.results_pruned_at is null
              and ((r.outcome = 7) <> (r.duplicate_of_row is not null) or r.duplicate_of_row >= r.row
               or (r.outcome = 7 and not exists (select from result first where first.batch_key = r.batch_key
                    and first.row = r.duplicate_of_row and first.device_key = r.device_key and first.outcome <> 7)))""",
        "a claim has a device and a project": """
            select 'device ' || c.device_key from claim c left join device d on d.key = c.device_key
            left join project p on p.key = c.project_key where d.key is null or p.key is null""",
        "a claim has its result": """
            select 'device ' || c.device_key || ', batch ' || c.batch_key from (
                select batch_key, device_key from claim
                except select batch_key, device_key from result where outcome = 1
            ) c join batch b on b.key = c.batch_key
            where b.finished_at is not null and b.results_pruned_at is null""",
        "a claim is its batch's project's": """
            select 'device ' || c.device_key from claim c left join batch b on b.key = c.batch_key
            where b.project_key is distinct from c.project_key""",
        "a claimed result has its claim, now or in the history": """
            select b.public_id || ': row ' || r.row from result r join batch b on b.key = r.batch_key
            where r.outcome = 1
              and not exists (select from claim c where c.device_key = r.device_key and c.batch_key = r.batch_key)
              and not exists (select from claim_history h
                where h.device_key = r.device_key and h.batch_key = r.batch_key)""",
        "what only looked claimed nothing": """
            select b.public_id from batch b where ((b.preview and b.confirmed_at is null) or b.state = 'rejected')
              and exists (select from claim c where c.batch_key = b.key)""",
        "a reverting batch has its revert on the way": """
            select b.public_id from batch b where b.state = 'reverting' and not exists (
                select from batch r where r.parent_key = b.key and r.operation = 'revert'
                    and r.state in ('received', 'resolving', 'applying', 'failed'))""",
        "a batch is reverted by its revert, and only then": """
            select b.public_id from batch b where (b.state = 'reverted') <> exists (
                select from batch r where r.parent_key = b.key and r.operation = 'revert' and r.state = 'completed')""",
        "a reverted batch holds only what had started": """
            select b.public_id || ': device ' || c.device_key from claim c join batch b on b.key = c.batch_key
            left join subscription s on s.device_key = c.device_key and s.state <> 'scheduled'
            where b.state = 'reverted' and s.device_key is null""",
        "an ended batch has no open work": f"""
            select b.public_id || ': ' || w.kind || ' ' || w.number from work_item w join batch b on b.key = w.batch_key
            where w.done_at is null and b.state in {_ENDED}""",
        "an open batch has open work": """
            select b.public_id || ': ' || b.state from batch b
            where b.state in ('received', 'resolving', 'applying')
              and not exists (select from work_item w where w.batch_key = b.key and w.done_at is null)""",
        "packed arrays go when their batch ends": f"""
            select b.public_id from batch b where b.state in {_ENDED} and b.state <> 'failed'
              and (exists (select from chunk c where c.batch_key = b.key)
                or exists (select from resolution r where r.batch_key = b.key))""",
        "an input belongs to a batch or lapses": """
            select 'upload ' || u.key from upload u where u.expires_at is null
              and not exists (select from batch b where b.upload_key = u.key)""",
        "a batch has its input whole": """
            select b.public_id from batch b left join lateral (
                select count(*) as blocks, coalesce(max(number), -1) as last,
                    coalesce(sum(length(data) - 28), 0) as bytes
                from upload_block u where u.upload_key = b.upload_key) u on true
            where case when b.upload_key is null then b.input_pruned_at is null and b.rows_total is not null
                else u.blocks = 0 or u.blocks <> u.last + 1 or u.bytes <> b.input_bytes end""",
        "what is no longer kept is gone": """
            select b.public_id || ': ' || count(r.row) || ' results' from batch b
            left join result r on r.batch_key = b.key
            where b.results_pruned_at is not null and not exists (select from pruning p where p.batch_key = b.key)
            group by b.key having count(r.row) > 0
            union all
            select public_id || ': input' from batch where input_pruned_at is not null and upload_key is not null""",
        "a mended row is one of the parent, counted by the batch that mended it": """
            select child.public_id || ': ' || coalesce(child.mended_rows, 0) || ' counted, ' || count(*) || ' noted'
            from mended_row m join batch child on child.key = m.child_key join batch b on b.key = m.batch_key
            where b.results_pruned_at is null
            group by child.key having bool_or(child.parent_key is distinct from b.key or m.row > b.rows_total)
                or (child.state not in ('reverting', 'reverted') and count(*) is distinct from child.mended_rows)""",
        "a kit has 1 to 100 devices": """
            select 'kit ' || k.kit_id || ': ' || count(d.key) from kit k left join device d on d.kit_key = k.key
            group by k.key having count(d.key) not between 1 and 100""",
        "a device's kit exists": """
            select 'device ' || d.device_id from device d left join kit k on k.key = d.kit_key
            where d.kit_key is not null and k.key is null""",
        "no identifier is a device's and a kit's": """
            select k.kit_id from kit k join device d on d.device_id = k.kit_id""",
        **DELIVERY_INVARIANTS,
        **SUBSCRIPTION_INVARIANTS,
    }
)

_INPUTS = text("select public_id as batch_id, upload_key, source from batch where upload_key is not null order by key")
# All that is kept as text about a batch or an answer; inputs are sealed and codes of the inventory are hashes.
_TEXTS_WITH = text("""
    select place from (
        select 'batch ' || public_id as place,
            concat_ws(' ', reference, file_name, problem::text, dialect::text, totals::text) as content
        from batch
        union all
        select 'idempotency key ' || name,
            concat_ws(' ', request, response_headers::text, encode(response_body, 'escape'))
        from idempotency_key) as texts
    where exists (select from unnest(cast(:codes as text[])) as code where strpos(content, code) > 0)""")


class Input(NamedTuple):
    """Where the input of a batch is stored."""

    batch_id: str
    upload_key: int
    source: str


def find_broken(connection: Connection, invariant: str) -> list[str]:
    """Up to EXAMPLES offenders against one of INVARIANTS."""
    # Materialized, because for the first twenty of millions the planner would look each row up by itself.
    query = text(f"with broken(offender) as materialized ({INVARIANTS[invariant]}) select * from broken limit :limit")
    return [str(offender) for offender in connection.execute(query, {"limit": EXAMPLES}).scalars()]


def fetch_inputs(connection: Connection) -> list[Input]:
    """The inputs that are kept, and whose."""
    return [Input(*row) for row in connection.execute(_INPUTS)]


def find_texts_with(connection: Connection, codes: list[str]) -> list[str]:
    """Where one of the codes stands in clear."""
    return list(connection.execute(_TEXTS_WITH, {"codes": codes}).scalars()) if codes else []
