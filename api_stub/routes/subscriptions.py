"""Prepaid time of an organization: for its bills and its plans."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.models.options import Absent, PageQuery
from api_stub.models.subscriptions import SubscriptionCounts, SubscriptionPage
from api_stub.openapi import refuses, streams
from api_stub.replies import Document, attachment
from worker import subscriptions
from worker.errors import NotFound
from worker.states import SubscriptionState
from worker.subscriptions import Filters

router = APIRouter(prefix="/v1/organizations/{organization_id}", tags=["subscriptions"])

REFUSES = refuses(NotFound)
CSV_TYPE = "text/csv"
CSV_EXAMPLE = (
    "device_id,project_id,batch_id,state,prepaid_months,claimed_at,activate_at,starts_at,ends_at\r\n"
    "SNS-000001,prj_k3v7m2xqa5wn4tfy6rhc,bat_5n2kq7vhx3mfa6wr4tcy,scheduled,60,2026-11-21T09:30:00.412000Z,"
    "2026-11-21T09:45:00.412000Z,,\r\n"
)


class FilterQuery(BaseModel):
    """Which devices."""

    project_id: str | Absent = None
    state: SubscriptionState | Absent = None
    ends_before: datetime | Absent = Field(default=None, examples=["2027-01-01T00:00:00Z"])

    @property
    def filters(self) -> Filters:
        return Filters(self.project_id, self.state, self.ends_before)


class ListQuery(FilterQuery, PageQuery):
    """Which devices, and which part of them."""


@router.get("/subscriptions", response_model=SubscriptionCounts, responses=REFUSES)
def count_subscriptions(runtime: RuntimeDep, principal: PrincipalDep, organization_id: str) -> Response:
    """How many devices are in which state, and in which months their prepaid time starts and ends."""
    return Document(subscriptions.subscription_counts(runtime, principal, organization_id))


@router.get("/subscriptions/devices", response_model=SubscriptionPage, responses=REFUSES)
def list_subscriptions(
    runtime: RuntimeDep, principal: PrincipalDep, organization_id: str, query: Annotated[ListQuery, Query()]
) -> Response:
    """The same device by device."""
    page = subscriptions.subscription_page(
        runtime, principal, organization_id, query.filters, query.limit, query.cursor
    )
    return Document(page)


@router.get("/subscriptions.csv", response_class=Response, responses={**streams(CSV_TYPE, CSV_EXAMPLE), **REFUSES})
def download_subscriptions(
    runtime: RuntimeDep, principal: PrincipalDep, organization_id: str, query: Annotated[FilterQuery, Query()]
) -> Response:
    """All of them as CSV."""
    lines = subscriptions.subscriptions_csv(runtime, principal, organization_id, query.filters)
    return attachment(lines, f"{CSV_TYPE}; charset=utf-8", f"{organization_id}-subscriptions.csv")
