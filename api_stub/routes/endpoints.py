"""Endpoints: where organizations are told what happened."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import TypeAdapter

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.body.document import document_of
from api_stub.models import endpoints as wire
from api_stub.openapi import json_body, refuses
from api_stub.problems import InvalidJson, TooLarge
from api_stub.replies import Document
from worker.batches import UploadLapsed
from worker.errors import Forbidden, NotFound
from worker.notifications import endpoints
from worker.notifications.endpoints import TooManyEndpoints

router = APIRouter(prefix="/v1", tags=["endpoints"])

READS: Final = refuses(NotFound)
ACTS: Final = refuses(NotFound, Forbidden)
SENT: Final = (NotFound, Forbidden, InvalidJson, TooLarge, UploadLapsed)
New = Annotated[wire.NewEndpoint, Depends(document_of(TypeAdapter(wire.NewEndpoint)))]
Change = Annotated[wire.EndpointChange, Depends(document_of(TypeAdapter(wire.EndpointChange)))]
KeepHours = Annotated[
    float, Query(ge=0, le=wire.MOST_HOURS, description="Hours for which the former secrets sign, too; 0 if one leaked.")
]


@router.get("/organizations/{organization_id}/endpoints", response_model=wire.EndpointPage, responses=READS)
def list_endpoints(runtime: RuntimeDep, principal: PrincipalDep, organization_id: str) -> Response:
    """The endpoints of an organization, all on one page."""
    return Document(endpoints.list_endpoints(runtime, principal, organization_id))


@router.post(
    "/organizations/{organization_id}/endpoints",
    status_code=201,
    response_model=wire.EndpointWithSecret,
    responses=refuses(*SENT, TooManyEndpoints),
    openapi_extra=json_body(wire.NewEndpoint),
)
def create_endpoint(runtime: RuntimeDep, principal: PrincipalDep, organization_id: str, body: New) -> Response:
    """A new endpoint. The secret of a webhook is shown in this answer only."""
    wish = endpoints.NewEndpoint(**body.model_dump())
    created = endpoints.create_endpoint(runtime, principal, organization_id, wish)
    return Document(created, status_code=201, headers={"Location": created["links"]["self"]})


@router.get("/endpoints/{endpoint_id}", response_model=wire.Endpoint, responses=READS)
def get_endpoint(runtime: RuntimeDep, principal: PrincipalDep, endpoint_id: str) -> Response:
    """One endpoint, and how it does."""
    return Document(endpoints.get_endpoint(runtime, principal, endpoint_id))


@router.patch(
    "/endpoints/{endpoint_id}",
    response_model=wire.Endpoint,
    responses=refuses(*SENT),
    openapi_extra=json_body(wire.EndpointChange),
)
def change_endpoint(runtime: RuntimeDep, principal: PrincipalDep, endpoint_id: str, body: Change) -> Response:
    """Change what is given; the rest stays."""
    changes = body.model_dump(exclude_unset=True)
    return Document(endpoints.change_endpoint(runtime, principal, endpoint_id, changes))


@router.delete("/endpoints/{endpoint_id}", status_code=204, responses=ACTS)
def delete_endpoint(runtime: RuntimeDep, principal: PrincipalDep, endpoint_id: str) -> Response:
    """Tell it nothing any more; what waits for it is not sent."""
    endpoints.delete_endpoint(runtime, principal, endpoint_id)
    return Response(status_code=204)


@router.post("/endpoints/{endpoint_id}/enable", response_model=wire.Endpoint, responses=ACTS)
def enable_endpoint(runtime: RuntimeDep, principal: PrincipalDep, endpoint_id: str) -> Response:
    """Begin anew with an endpoint that answered 410, or that has failed for long."""
    return Document(endpoints.enable_endpoint(runtime, principal, endpoint_id))


@router.post(
    "/endpoints/{endpoint_id}/secrets", status_code=201, response_model=wire.EndpointWithSecret, responses=ACTS
)
def renew_secret(
    runtime: RuntimeDep, principal: PrincipalDep, endpoint_id: str, keep_hours: KeepHours = 24
) -> Response:
    """A new secret, shown in this answer only; until the former ones end, all of them sign."""
    keep = timedelta(hours=keep_hours)
    return Document(endpoints.renew_secret(runtime, principal, endpoint_id, keep), status_code=201)
