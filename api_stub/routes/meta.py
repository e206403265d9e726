"""The API about itself."""

from dataclasses import asdict

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api_stub.auth import RuntimeDep
from api_stub.models.problems import ProblemKinds
from api_stub.models.results import SigningKey
from api_stub.problems import problem_types
from api_stub.replies import Document
from worker.reports import signing_key

router = APIRouter(tags=["operation"])


@router.get("/problems", response_model=ProblemKinds)
def list_problems() -> Response:
    """Every `type` that a problem document may have."""
    return Document({"items": [asdict(each) for each in problem_types()]})


@router.get("/v1/signing-key", response_model=SigningKey)
def show_signing_key(runtime: RuntimeDep) -> Response:
    """The public key with which this claimd signs the manifests of its reports."""
    return Document(signing_key(runtime))


@router.get("/", include_in_schema=False)
def start() -> Response:
    """People who type the bare address want to see something."""
    return RedirectResponse("/docs")
