"""Problem details (RFC 9457): the answers to everything that went wrong, and the list of their types."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from pydantic_core import to_json

from worker.errors import Invalid, NotFound, Refused

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS: Final = 20
# What is worth asking again, and after how many seconds.
RETRY_SECONDS: Final = {
    "idempotency-key-in-flight": 1,
    "results-not-ready": 1,
    "unavailable": 5,
}


class Unauthenticated(Refused):
    """A valid bearer token is needed."""

    status = 401
    problem_type = "unauthenticated"


class MethodNotAllowed(Refused):
    """This address does not take this method."""

    status = 405
    problem_type = "method-not-allowed"


class TooLarge(Refused):
    """The request body is too large."""

    status = 413
    problem_type = "too-large"


class UnsupportedMediaType(Refused):
    """This kind of content is not taken here."""

    status = 415
    problem_type = "unsupported-media-type"


class InvalidJson(Invalid):
    """The JSON does not have the expected shape."""

    problem_type = "invalid-json"


class InvalidMultipart(Invalid):
    """The form does not have the expected shape."""

    problem_type = "invalid-multipart"


class BadRequest(Refused):
    """This is not HTTP as it should be."""

    status = 400
    problem_type = "bad-request"


class HeadersTooLarge(Refused):
    """The request's headers are too large."""

    status = 431
    problem_type = "headers-too-large"


class InternalError(Refused):
    """Something went wrong on our side."""

    status = 500
    problem_type = "internal-error"


class Unavailable(Refused):
    """claimd cannot work at the moment."""

    status = 503
    problem_type = "unavailable"


@dataclass(frozen=True)
class ProblemType:
    """One `type` that a problem document may have."""

    type: str
    title: str
    status: int


def problem_types() -> list[ProblemType]:
    """All that this program answers, by status and name."""
    found = {cls.problem_type: ProblemType(cls.problem_type, cls("").title, cls.status) for cls in _walk(Refused)}
    return sorted(found.values(), key=lambda each: (each.status, each.type))


def problem_document(refused: Refused, instance: str, request_id: str) -> dict[str, object]:
    """The members of the document, the standard ones first."""
    standard: dict[str, object] = {
        "type": refused.problem_type,
        "title": refused.title,
        "status": refused.status,
        "detail": refused.detail,
        "instance": instance,
        "request_id": request_id,
    }
    return {**refused.extensions, **standard}


def problem_response(request: Request, refused: Refused, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that was refused."""
    document = problem_document(refused, request.scope["raw_path"].decode("ascii"), request.scope["request_id"])
    sent = {**_own_headers(refused), **(headers or {})}
    return Response(to_json(document), refused.status, sent, MEDIA_TYPE)


def of_status(status: int, detail: str) -> Refused:
    """The problem for an HTTP status that the framework chose by itself."""
    return _OF_FRAMEWORK.get(status, BadRequest)(detail)


def because_of(findings: Sequence[Mapping[str, Any]], kind: type[Refused]) -> Refused:
    """The refusal of what Pydantic found wrong; values are left out, which may be claim codes."""
    errors = [_finding(each) for each in findings[:MOST_ERRORS]]
    return kind("; ".join(f"{each['where']}: {each['detail']}" for each in errors[:3]), errors=errors)


_OF_FRAMEWORK: Final = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}


def _finding(finding: Mapping[str, Any]) -> dict[str, str]:
    where = ".".join(str(part)[:100] for part in finding["loc"])
    return {"where": where or "body", "detail": str(finding["msg"])}


def _own_headers(refused: Refused) -> dict[str, str]:
    if refused.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="claimd"'}
    seconds = refused.extensions.get("retry_after", RETRY_SECONDS.get(refused.problem_type))
    return {"Retry-After": str(seconds)} if seconds else {}


def _walk(cls: type[Refused]) -> Iterator[type[Refused]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _walk(subclass)
