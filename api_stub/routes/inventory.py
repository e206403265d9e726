"""Importing what was manufactured."""

from fastapi import APIRouter, Response

from api_stub.body.content import Limits, body_of
from api_stub.idempotent import CallDep, once
from api_stub.importing import Import
from api_stub.models.devices import Imported
from api_stub.openapi import csv_body, refuses
from api_stub.problems import InvalidMultipart, TooLarge, UnsupportedMediaType
from worker.accounts.idempotency import KeyInFlight, KeyReused
from worker.batches import UploadLapsed
from worker.errors import Forbidden, ImportConflicts
from worker.states import Role

router = APIRouter(prefix="/v1", tags=["inventory"])

REFUSES = refuses(
    Forbidden, UploadLapsed, TooLarge, UnsupportedMediaType, InvalidMultipart, ImportConflicts, KeyReused, KeyInFlight
)


@router.post("/inventory-imports", response_model=Imported, responses=REFUSES, openapi_extra=csv_body(with_json=False))
async def import_inventory(call: CallDep) -> Response:
    """Add devices and kits; answers when it is done, and adds all of the file or nothing."""
    call.principal.require_role(Role.MANUFACTURER)
    settings = call.runtime.settings
    task = Import(call.runtime, body_of(call.request, Limits.of_import(settings), settings))
    return await once(call, task.digest, task.perform)
