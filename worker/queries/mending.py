"""Failed rows that a later batch has brought to success."""

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from worker.states import SUCCESSES, Outcome

_FAILING = ", ".join(str(outcome.number) for outcome in Outcome if outcome not in SUCCESSES)
# What was mended by a batch that has been reverted since is there to be mended again.
_MEND = text(f"""
    insert into mended_row (batch_key, row, child_key)
    select parent_key, row, child_key
    from (select b.key as child_key, b.parent_key, unnest((select :rows)::bigint[])::int as row
          from batch b where b.key = :child) as named
    where (select true from result r where r.batch_key = parent_key and r.row = named.row
        and r.outcome in ({_FAILING}) limit 1)
    order by row
    on conflict (batch_key, row) do update set child_key = excluded.child_key
    where (select state from batch where key = mended_row.child_key) in ('reverting', 'reverted')""")
_COUNT = text("update batch set mended_rows = :rows where key = :child")


def mend_rows(connection: Connection, child: int, rows: npt.NDArray[np.int32]) -> int:
    """Note which rows of its parent a batch has mended; returns how many of them were still to be mended."""
    return connection.execute(_MEND, {"child": child, "rows": rows}).rowcount


def count_mended(connection: Connection, child: int, rows: int) -> None:
    """Count so many failed rows of its parent as mended by this batch."""
    connection.execute(_COUNT, {"child": child, "rows": rows})
