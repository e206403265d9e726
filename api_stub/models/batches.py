"""Batches on the wire."""

from datetime import date, datetime
from typing import Any, Final

from pydantic import Field, JsonValue

from api_stub.models.base import Page, Wire
from worker.states import BatchState, Mode, Outcome

EXAMPLE: Final[dict[str, Any]] = {
    "id": "bat_5n2kq7vhx3mfa6wr4tcy",
    "state": "completed",
    "operation": "claim",
    "mode": "partial",
    "preview": False,
    "project_id": "prj_k3v7m2xqa5wn4tfy6rhc",
    "file_name": "delivery-4711.csv",
    "reference": "Delivery 4711",
    "parent": None,
    "children": [],
    "rows_total": 3,
    "rows_done": 3,
    "totals": {"claimed": 2, "not_found": 1},
    "failures": {"rows": 1, "remaining": 1},
    "created_at": "2026-11-21T09:30:00.000000Z",
    "created_by": "warehouse",
    "finished_at": "2026-11-21T09:30:00.412000Z",
    "hold_until": "2026-11-21T09:45:00.412000Z",
    "activate_on": None,
    "activate_at": "2026-11-21T09:45:00.412000Z",
    "input_pruned_at": None,
    "results_pruned_at": None,
    "problem": None,
    "links": {
        "self": "/v1/claim-batches/bat_5n2kq7vhx3mfa6wr4tcy",
        "results": "/v1/claim-batches/bat_5n2kq7vhx3mfa6wr4tcy/results",
    },
}


class BatchProblem(Wire):
    """Why a batch ended `rejected` or `failed`."""

    type: str = Field(examples=["empty"])
    title: str = Field(examples=["The input has no rows"])
    detail: str = Field(examples=["There is nothing to claim in this input."])
    line: int | None = Field(default=None, description="The line of the file, if one is to blame.")


class Failures(Wire):
    """Rows to look at, and how many of them no later batch with this one as its parent has mended."""

    rows: int = Field(examples=[12])
    remaining: int = Field(examples=[3])


class Batch(Wire):
    """One bulk request with its state and totals."""

    id: str
    state: BatchState
    operation: str
    mode: Mode
    preview: bool
    project_id: str
    file_name: str | None
    reference: str | None = Field(description="The caller's own text.")
    parent: str | None = Field(description="The batch whose failed rows these are.")
    children: list[str] = Field(description="The batches with this one as their parent: the last hundred, newest last.")
    rows_total: int | None = Field(description="Null until the input has been read.")
    rows_done: int
    totals: dict[Outcome, int] = Field(description="Results by outcome; only those that there are.")
    failures: Failures | None = Field(description="Null until the end.")
    created_at: datetime
    created_by: str
    finished_at: datetime | None
    hold_until: datetime | None = Field(description="Until then a claim can be reverted; null before its end.")
    activate_on: date | None = Field(description="The day that was wished for its prepaid time to start.")
    activate_at: datetime | None = Field(description="When its prepaid time starts; rows can have a day of their own.")
    input_pruned_at: datetime | None = Field(description="Since then the input is no longer kept.")
    results_pruned_at: datetime | None = Field(description="Since then the results are no longer kept.")
    problem: BatchProblem | None
    links: dict[str, JsonValue]


class BatchPage(Page):
    """Batches, the newest first."""

    items: list[Batch]
