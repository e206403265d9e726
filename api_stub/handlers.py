"""Exceptions as problem documents."""

import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api_stub.problems import Unavailable, because_of, of_status, problem_response
from worker.errors import EnvironmentProblem, Invalid, Refused

log = structlog.get_logger("claimd.api")


def add_handlers(app: FastAPI) -> None:
    """Answer every exception that is expected; `RequestContext` answers the others."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    # psycopg's own: COPY goes past SQLAlchemy
    for unavailable in (OperationalError, psycopg.OperationalError, PoolTimeout, EnvironmentProblem):
        app.add_exception_handler(unavailable, _unavailable)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  # registered for it alone
    return problem_response(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for it alone
    return problem_response(request, of_status(error.status_code, str(error.detail)), error.headers)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it alone
    return problem_response(request, because_of(error.errors(), Invalid))


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("the database cannot be used", error=type(getattr(error, "orig", None) or error).__name__)
    return problem_response(request, Unavailable("The database cannot be used at the moment; ask again."))
