"""What became of a batch's rows: in pages and as files."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from api_stub.auth import PrincipalDep, RuntimeDep
from api_stub.models.options import Absent, PageQuery
from api_stub.models.results import KitPage, ResultPage
from api_stub.openapi import CSV_EXAMPLE, refuses, streams
from api_stub.replies import Document, attachment
from worker import reports
from worker.errors import InputPruned, NotFound, ResultsNotReady, ResultsPruned, WrongState
from worker.proof import Manifest
from worker.states import Outcome

router = APIRouter(prefix="/v1/claim-batches/{batch_id}", tags=["results"])

REFUSES = refuses(NotFound, ResultsNotReady, ResultsPruned)
SIGNING_REFUSES = refuses(NotFound, ResultsNotReady, ResultsPruned, WrongState)
CSV_TYPE = "text/csv"
JSON_LINES = "application/x-ndjson"
REPORT_EXAMPLE = "Device ID,Room,row,line,outcome,device_id,detail,hint\nSNS-000001,2.15,1,2,claimed,SNS-000001,,\n"


class ResultQuery(PageQuery):
    """Which results."""

    outcome: Outcome | Absent = None


@router.get("/results", response_model=ResultPage, responses=REFUSES)
def list_results(
    runtime: RuntimeDep, principal: PrincipalDep, batch_id: str, query: Annotated[ResultQuery, Query()]
) -> Response:
    """Results in order of row, then device."""
    return Document(reports.results_page(runtime, principal, batch_id, query.outcome, query.limit, query.cursor))


@router.get("/kits", response_model=KitPage, responses=REFUSES)
def list_kits(
    runtime: RuntimeDep, principal: PrincipalDep, batch_id: str, query: Annotated[PageQuery, Query()]
) -> Response:
    """What became of each kit row."""
    return Document(reports.kits_page(runtime, principal, batch_id, query.limit, query.cursor))


@router.get("/results.csv", response_class=Response, responses={**streams(CSV_TYPE, REPORT_EXAMPLE), **REFUSES})
def download_report(
    runtime: RuntimeDep,
    principal: PrincipalDep,
    batch_id: str,
    only: Annotated[Literal["failed"] | Absent, Query(description="The rows to mend and send again.")] = None,
) -> Response:
    """The report as CSV: the columns as they were sent, then what became of each row."""
    rows = reports.report_csv(runtime, principal, batch_id, only_failed=only is not None)
    return attachment(
        rows, f"{CSV_TYPE}; charset=utf-8", f"{batch_id}-{only}-results.csv" if only else f"{batch_id}-results.csv"
    )


@router.get(
    "/results.jsonl",
    response_class=Response,
    responses={**streams(JSON_LINES, '{"row":1,"line":2,"outcome":"claimed"}\n'), **REFUSES},
)
def download_lines(runtime: RuntimeDep, principal: PrincipalDep, batch_id: str) -> Response:
    """The report as JSON lines, one result each."""
    return attachment(reports.report_jsonl(runtime, principal, batch_id), JSON_LINES, f"{batch_id}-results.jsonl")


@router.get("/report.zip", response_class=Response, responses={**streams("application/zip", "PK"), **SIGNING_REFUSES})
def download_bundle(runtime: RuntimeDep, principal: PrincipalDep, batch_id: str) -> Response:
    """The report as JSON lines and as CSV, with a signed manifest: `claimd report verify` checks it offline."""
    return attachment(reports.report_bundle(runtime, principal, batch_id), "application/zip", f"{batch_id}-report.zip")


@router.get("/manifest", response_model=Manifest, responses=SIGNING_REFUSES)
def show_manifest(runtime: RuntimeDep, principal: PrincipalDep, batch_id: str) -> Response:
    """Counts, hashes and times, signed. All of `results.jsonl` is made for its hash: for a million rows use the ZIP."""
    return Document(reports.signed_manifest(runtime, principal, batch_id))


@router.get(
    "/input", response_class=Response, responses={**streams(CSV_TYPE, CSV_EXAMPLE), **refuses(NotFound, InputPruned)}
)
def download_input(runtime: RuntimeDep, principal: PrincipalDep, batch_id: str) -> Response:
    """The upload as it came."""
    found = reports.original_input(runtime, principal, batch_id)
    return attachment(found.body, found.media_type, found.file_name)
