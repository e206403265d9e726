"""Deliveries: what was sent to an endpoint, and sending it again."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.models.endpoints import Delivery, DeliveryPage, Replayed
from api_stub.models.options import Absent, PageQuery
from api_stub.openapi import refuses
from api_stub.replies import Document
from worker.errors import Forbidden, NotFound
from worker.notifications import deliveries
from worker.notifications.deliveries import EndpointDisabled
from worker.states import DeliveryState

router = APIRouter(prefix="/v1", tags=["endpoints"])

ACTS: Final = refuses(NotFound, Forbidden, EndpointDisabled)


class ListQuery(PageQuery):
    """Which deliveries."""

    state: DeliveryState | Absent = None


@router.get("/endpoints/{endpoint_id}/deliveries", response_model=DeliveryPage, responses=refuses(NotFound))
def list_deliveries(
    runtime: RuntimeDep, principal: PrincipalDep, endpoint_id: str, query: Annotated[ListQuery, Query()]
) -> Response:
    """What was, or is to be, sent to an endpoint, the newest first; `state=dead` for the dead letters."""
    found = deliveries.list_deliveries(runtime, principal, endpoint_id, query.state, query.limit, query.cursor)
    return Document(found)


@router.post("/endpoints/{endpoint_id}/ping", status_code=202, response_model=Delivery, responses=ACTS)
def ping_endpoint(runtime: RuntimeDep, principal: PrincipalDep, endpoint_id: str) -> Response:
    """Send an event `ping`, on the same way as all others."""
    return Document(deliveries.ping(runtime, principal, endpoint_id), status_code=202)


@router.post("/endpoints/{endpoint_id}/replay", status_code=202, response_model=Replayed, responses=ACTS)
def replay_deliveries(
    runtime: RuntimeDep,
    principal: PrincipalDep,
    endpoint_id: str,
    state: Annotated[DeliveryState, Query(description="Those that are sent again.")] = DeliveryState.DEAD,
) -> Response:
    """Send all dead letters of an endpoint again, or all in another state."""
    return Document(deliveries.replay_deliveries(runtime, principal, endpoint_id, state), status_code=202)


@router.post("/deliveries/{delivery_id}/replay", status_code=202, response_model=Delivery, responses=ACTS)
def replay_delivery(runtime: RuntimeDep, principal: PrincipalDep, delivery_id: str) -> Response:
    """Send one delivery again, under the same `webhook-id`."""
    return Document(deliveries.replay_delivery(runtime, principal, delivery_id), status_code=202)
