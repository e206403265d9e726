"""Problem documents on the wire."""

from typing import Any, Final

from pydantic import ConfigDict, Field

from api_stub.models.base import Wire

EXAMPLE: Final[dict[str, Any]] = {
    "type": "not-found",
    "title": "There is no such thing",
    "status": 404,
    "detail": "There is no batch bat_5n2kq7vhx3mfa6wr4tcy.",
    "instance": "/v1/claim-batches/bat_5n2kq7vhx3mfa6wr4tcy",
    "request_id": "0f6d3a52c1b94e7a8a3c9d1e5b7f2a60",
}


class Problem(Wire):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [EXAMPLE]})

    type: str = Field(description="Stable; all are listed at `/problems`.")
    title: str
    status: int
    detail: str
    instance: str
    request_id: str = Field(description="As in the header X-Request-Id and in claimd's logs.")


class ProblemKind(Wire):
    """One `type` of problem."""

    type: str = Field(examples=["results-not-ready"])
    title: str = Field(examples=["The results are not ready yet"])
    status: int = Field(examples=[409])


class ProblemKinds(Wire):
    """All types of problems that requests are answered with."""

    items: list[ProblemKind]
