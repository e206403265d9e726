"""Changing when the subscriptions of claimed devices start."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api_stub.body.content import Limits, body_of
from api_stub.body.listing import check_listing
from api_stub.idempotent import Call, CallDep, accepted, act_once, once
from api_stub.models.batches import Batch
from api_stub.models.options import PlanQuery
from api_stub.openapi import csv_body, refuses
from api_stub.routes.submit import ACCEPTED, REFUSALS
from api_stub.submission import Submission
from worker import batches
from worker.batches import SubmitOptions
from worker.errors import Invalid, WrongState
from worker.states import Operation

router = APIRouter(prefix="/v1/projects", tags=["subscriptions"])


@router.post(
    "/{project_id}/plan-batches",
    status_code=202,
    response_model=Batch,
    responses={**ACCEPTED, **refuses(*REFUSALS, WrongState)},
    openapi_extra=csv_body(with_json=True, required=False),
)
async def plan_subscriptions(call: CallDep, project_id: str, query: Annotated[PlanQuery, Query()]) -> Response:
    """Change when subscriptions start: of listed devices, of a batch, or of all that the project holds.

    `activate` is for all rows; a column `activate_on` is not looked at.
    """
    options = SubmitOptions(
        "devices", Operation.PLAN, reference=query.reference, parent=query.batch_id, activate_on=query.day
    )
    if _names_devices(call.request, query):
        return await _plan_listed(call, project_id, options)
    plan = partial(batches.plan_held, call.runtime, call.principal, project_id, options)
    return await act_once(call, plan, accepted)


def _names_devices(request: Request, query: PlanQuery) -> bool:
    """Whether the devices are in the body.

    Raises:
        Invalid: they are named in several ways, or in none.
    """
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    if has_body + (query.batch_id is not None) + query.all != 1:
        raise Invalid("Name the devices in one way: by a body, by `batch_id`, or by `all=true`.")
    return has_body


async def _plan_listed(call: Call, project_id: str, options: SubmitOptions) -> Response:
    settings = call.runtime.settings
    body = body_of(call.request, Limits.of_submission(settings, check_listing), settings)
    submission = Submission(call, project_id, replace(options, source=body.source), body)
    return await once(call, submission.digest, submission.perform)
