"""Taking batches in."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api_stub.body.content import Limits, body_of
from api_stub.body.listing import check_listing
from api_stub.idempotent import CallDep, once
from api_stub.models.batches import Batch
from api_stub.models.options import SubmitQuery
from api_stub.openapi import Responses, csv_body, refuses
from api_stub.problems import InvalidJson, InvalidMultipart, TooLarge, UnsupportedMediaType
from api_stub.submission import Submission
from worker.accounts.idempotency import KeyInFlight, KeyReused
from worker.batches import Draining, SubmitOptions, TooManyWaiting, UploadLapsed
from worker.errors import Forbidden, NotFound

router = APIRouter(prefix="/v1/projects", tags=["batches"])

ACCEPTED: Responses = {
    202: {
        "description": "The batch was stored and will be worked on",
        "headers": {"Location": {"description": "The address of the batch", "schema": {"type": "string"}}},
    }
}
REFUSALS = (
    Forbidden,
    NotFound,
    UploadLapsed,
    TooManyWaiting,
    Draining,
    TooLarge,
    UnsupportedMediaType,
    InvalidJson,
    InvalidMultipart,
    KeyReused,
    KeyInFlight,
)


@router.post(
    "/{project_id}/claim-batches",
    status_code=202,
    response_model=Batch,
    responses={**ACCEPTED, **refuses(*REFUSALS)},
    openapi_extra=csv_body(with_json=True),
)
async def submit_batch(call: CallDep, project_id: str, query: Annotated[SubmitQuery, Query()]) -> Response:
    """Enqueue the claims of a CSV file or of JSON; whatever is wrong with a file's content is told by the batch."""
    settings = call.runtime.settings
    body = body_of(call.request, Limits.of_submission(settings, check_listing), settings)
    options = SubmitOptions(source=body.source, file_name=None, **query.model_dump())
    submission = Submission(call, project_id, options, body)
    return await once(call, submission.digest, submission.perform)
