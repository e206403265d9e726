"""What happened in an organization, day by day."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.models.digests import Digest, DigestPage
from api_stub.models.options import PageQuery
from api_stub.openapi import refuses, streams
from api_stub.replies import Document
from worker import digests
from worker.errors import Forbidden, NotFound

router = APIRouter(prefix="/v1/organizations/{organization_id}/digests", tags=["digests"])

REFUSES = refuses(NotFound, Forbidden)
CSV_TYPE = "text/csv"
CSV_EXAMPLE = "section,name,detail,value\ntotals,claimed,,1200\nfailures,not_found,,3\n"


@router.get("", response_model=DigestPage, responses=REFUSES)
def list_digests(
    runtime: RuntimeDep, principal: PrincipalDep, organization_id: str, query: Annotated[PageQuery, Query()]
) -> Response:
    """The digests of an organization, the newest first."""
    return Document(digests.list_digests(runtime, principal, organization_id, query.limit, query.cursor))


@router.get("/{day}.csv", response_class=Response, responses={**streams(CSV_TYPE, CSV_EXAMPLE), **REFUSES})
def download_digest(runtime: RuntimeDep, principal: PrincipalDep, organization_id: str, day: date) -> Response:
    """The digest of a day as CSV: one line for each number."""
    body = digests.digest_csv(runtime, principal, organization_id, day)
    headers = {"Content-Disposition": f'attachment; filename="digest-{day}.csv"'}
    return Response(body, media_type=CSV_TYPE, headers=headers)


@router.get("/{day}", response_model=Digest, responses=REFUSES)
def get_digest(runtime: RuntimeDep, principal: PrincipalDep, organization_id: str, day: date) -> Response:
    """The digest of a day, such as 2026-11-21: what happened, what went wrong, what comes to an end."""
    return Document(digests.get_digest(runtime, principal, organization_id, day))
