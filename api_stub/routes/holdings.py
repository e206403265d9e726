"""What a kit or device is, and who holds what."""

from typing import Annotated, Final

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.body.listing import parse_json
from api_stub.body.pieces import read_pieces
from api_stub.models.devices import ClaimInfo, Device, DevicePage, Question
from api_stub.models.options import PageQuery
from api_stub.openapi import json_body, refuses
from api_stub.problems import InvalidJson, TooLarge
from api_stub.replies import Document
from worker import inventory
from worker.errors import Forbidden, NotFound

router = APIRouter(prefix="/v1", tags=["devices"])

QUESTION: Final = TypeAdapter(Question)
QUESTION_BYTES: Final = 64 * 1024


@router.get("/claim-info", response_model=ClaimInfo, responses=refuses(NotFound, Forbidden))
def claim_info(runtime: RuntimeDep, principal: PrincipalDep, query: Annotated[Question, Query()]) -> Response:
    """What a kit, a device or a QR code is, and how many of it can be claimed."""
    return Document(inventory.claim_info(runtime, principal, query.identifier))


@router.post(
    "/claim-info",
    response_model=ClaimInfo,
    responses=refuses(NotFound, Forbidden, InvalidJson, TooLarge),
    openapi_extra=json_body(Question),
)
async def ask_claim_info(request: Request, runtime: RuntimeDep, principal: PrincipalDep) -> Response:
    """The same; a QR code with a claim code in it then stands in no address."""
    pieces = read_pieces(request, QUESTION_BYTES, runtime.settings.upload_lease)
    question = parse_json(QUESTION, b"".join([piece async for piece in pieces]))
    found = await anyio.to_thread.run_sync(inventory.claim_info, runtime, principal, question.identifier)
    return Document(found)


@router.get("/projects/{project_id}/devices", response_model=DevicePage, responses=refuses(NotFound))
def list_devices(
    runtime: RuntimeDep, principal: PrincipalDep, project_id: str, query: Annotated[PageQuery, Query()]
) -> Response:
    """What a project holds, since when, and by which batch."""
    return Document(inventory.project_devices(runtime, principal, project_id, query.limit, query.cursor))


@router.get("/devices/{device_id}", response_model=Device, responses=refuses(NotFound))
def get_device(runtime: RuntimeDep, principal: PrincipalDep, device_id: str) -> Response:
    """One device of the token's organization."""
    return Document(inventory.device(runtime, principal, device_id))
