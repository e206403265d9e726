"""Batches: list, look, confirm, cancel, revert, resume."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.idempotent import CallDep, accepted, act_once
from api_stub.models.batches import Batch, BatchPage
from api_stub.models.options import Absent, PageQuery
from api_stub.openapi import refuses
from api_stub.replies import Document
from api_stub.routes.submit import ACCEPTED
from worker import batches
from worker.accounts.idempotency import KeyInFlight, KeyReused
from worker.errors import Forbidden, HoldWindowOver, InputPruned, NotFound, PreviewLapsed, WrongState
from worker.states import BatchState

router = APIRouter(prefix="/v1/claim-batches", tags=["batches"])

ACTS = refuses(NotFound, Forbidden, WrongState, PreviewLapsed, KeyReused, KeyInFlight)


class ListQuery(PageQuery):
    """Which batches."""

    project_id: str | Absent = None
    state: BatchState | Absent = None


@router.get("", response_model=BatchPage, responses=refuses(NotFound))
def list_batches(runtime: RuntimeDep, principal: PrincipalDep, query: Annotated[ListQuery, Query()]) -> Response:
    """Batches that the token may see, the newest first."""
    found = batches.list_batches(runtime, principal, query.project_id, query.state, query.limit, query.cursor)
    return Document(found)


@router.get("/{batch_id}", response_model=Batch, responses=refuses(NotFound))
def get_batch(runtime: RuntimeDep, principal: PrincipalDep, batch_id: str) -> Response:
    """One batch; progress is `rows_done` of `rows_total`."""
    return Document(batches.get_batch(runtime, principal, batch_id))


@router.post("/{batch_id}/confirm", status_code=202, response_model=Batch, responses=ACTS)
async def confirm_batch(
    call: CallDep,
    batch_id: str,
    require_unchanged: Annotated[bool, Query(description="Reject the batch if anything has changed.")] = False,
) -> Response:
    """Carry out what a preview showed; everything is looked up again."""
    return await act_once(call, partial(batches.confirm, call.runtime, call.principal, batch_id, require_unchanged))


@router.post("/{batch_id}/cancel", status_code=202, response_model=Batch, responses=ACTS)
async def cancel_batch(call: CallDep, batch_id: str) -> Response:
    """Stop a batch: what was claimed stays claimed, the rest is `not_processed`."""
    return await act_once(call, partial(batches.cancel, call.runtime, call.principal, batch_id))


@router.post(
    "/{batch_id}/revert",
    status_code=202,
    response_model=Batch,
    responses={**ACCEPTED, **refuses(NotFound, Forbidden, WrongState, HoldWindowOver, KeyReused, KeyInFlight)},
)
async def revert_batch(call: CallDep, batch_id: str) -> Response:
    """Give back what a batch has claimed, until its `hold_until`; the answer is the batch that does it."""
    return await act_once(call, partial(batches.revert, call.runtime, call.principal, batch_id), accepted)


@router.post("/{batch_id}/resume", status_code=202, response_model=Batch, responses={**ACTS, **refuses(InputPruned)})
async def resume_batch(call: CallDep, batch_id: str) -> Response:
    """Take up a `failed` batch where it was left."""
    return await act_once(call, partial(batches.resume, call.runtime, call.principal, batch_id))
