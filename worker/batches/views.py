"""A batch as its owner sees it."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from worker.states import READABLE, RUNNING, BatchState
from worker.times import rfc3339

BASE = "/v1/claim-batches"


def batch_document(row: RowMapping) -> dict[str, Any]:
    """The JSON document of a batch, from a row of `queries.batches`."""
    state = BatchState(row["state"])
    return {
        "id": row["public_id"],
        "state": state.value,
        "operation": row["operation"],
        "mode": row["mode"],
        "preview": row["preview"],
        "project_id": row["project_id"],
        "file_name": row["file_name"],
        "reference": row["reference"],
        "parent": row["parent_id"],
        "children": row["children"] or [],
        "max_claims": row["max_claims"],
        "queue": row["queue"],
        "rows_total": row["rows_total"],
        "rows_done": _rows_done(row, state),
        "results_total": row["results_total"],
        "totals": row["totals"],
        "failures": _failures(row, state),
        "drift": None if row["drift"] is None else {"changed": row["drift"]},
        "problem": row["problem"],
        "input_bytes": row["input_bytes"],
        "input_sha256": row["input_sha256"].hex(),
        "created_at": rfc3339(row["created_at"]),
        "created_by": row["created_by"],
        "started_at": rfc3339(row["started_at"]),
        "confirmed_at": rfc3339(row["confirmed_at"]),
        "cancel_requested_at": rfc3339(row["cancel_requested_at"]),
        "preview_expires_at": rfc3339(row["preview_expires_at"]),
        "estimated_finish_at": rfc3339(_estimate(row)),
        "finished_at": rfc3339(row["finished_at"]),
        "hold_until": rfc3339(row["hold_until"]),
        "activate_on": row["activate_on"] and row["activate_on"].isoformat(),
        "activate_at": rfc3339(row["activate_at"]),
        "input_pruned_at": rfc3339(row["input_pruned_at"]),
        "results_pruned_at": rfc3339(row["results_pruned_at"]),
        "links": _links(row["public_id"]),
    }


def _failures(row: RowMapping, state: BatchState) -> dict[str, int] | None:
    """How many rows failed, and how many of them no later batch has mended; None before the end."""
    failed = row["failed_rows"]
    if failed is None or state in RUNNING - {BatchState.REVERTING}:
        return None
    return {"rows": failed, "remaining": max(0, failed - (row["mended"] or 0))}


def _rows_done(row: RowMapping, state: BatchState) -> int:
    if state in READABLE or state is BatchState.REVERTING:
        return int(row["rows_total"] or 0)
    return int((row["rows_total"] or 0) * (row["share_done"] or 0))


def _estimate(row: RowMapping) -> datetime | None:
    """The end, if the rest goes as fast as what is done; None before anything is."""
    if not row["share_done"] or row["started_at"] is None:
        return None
    taken: timedelta = row["now"] - row["started_at"]
    return row["started_at"] + taken / float(row["share_done"])  # type: ignore[no-any-return]


def _links(batch_id: str) -> dict[str, str]:
    own = f"{BASE}/{batch_id}"
    parts = ("results", "kits", "results.csv", "results.jsonl", "report.zip", "manifest", "input", "events")
    return {"self": own} | {part: f"{own}/{part}" for part in parts}
