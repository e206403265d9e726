"""What the description of the API has beyond the routes' own types: problems and request bodies."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api_stub.body.listing import LISTING
from api_stub.models import batches, devices, endpoints, results, subscriptions
from api_stub.models.problems import EXAMPLE, Problem
from api_stub.problems import MEDIA_TYPE, Unauthenticated, Unavailable, problem_types
from worker.errors import Invalid, Refused

Responses = dict[int | str, dict[str, Any]]

_INTRODUCTION: Final = """\
Claim many devices at once: upload a CSV file of device IDs, kit IDs or serial numbers with claim codes
(or post them as JSON), watch the batch, read what became of every row.

Press **Authorize** and paste a token; `claimd up` prints one. Errors are
[problem documents](https://www.rfc-editor.org/rfc/rfc9457) whose `type` is one of those below.
"""
CSV_EXAMPLE: Final = "Device ID,Room\nSNS-000001,2.15\nSNS-000002,2.16\nSNS-000003,2.17\n"
JSON_EXAMPLE: Final = {
    "kit_ids": ["KIT-25-0042"],
    "device_ids": ["SNS-000001", "SNS-000002"],
    "devices": [{"serial_number": "7701234", "claim_code": "ABCD-EFGH"}],
}
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}


def describe_api() -> str:
    """What stands above the routes: how to begin, and every type of problem."""
    rows = "".join(f"| `{each.type}` | {each.status} | {each.title} |\n" for each in problem_types())
    return f"{_INTRODUCTION}\n| problem | status | meaning |\n|---|---|---|\n{rows}"


def refuses(*kinds: type[Refused]) -> Responses:
    """The refusals of a route besides those that every route has."""
    responses: Responses = {}
    everywhere: tuple[type[Refused], ...] = (Unauthenticated, Invalid, Unavailable)
    for kind in (*everywhere, *kinds):
        response = responses.setdefault(kind.status, {"description": "", "content": {MEDIA_TYPE: _content()}})
        response["content"][MEDIA_TYPE]["examples"][kind.problem_type] = _example(kind)
        response["description"] = " or ".join(response["content"][MEDIA_TYPE]["examples"])
    return responses


def streams(media_type: str, example: str) -> Responses:
    """The success of a route that sends a file."""
    content = {media_type: {"schema": {"type": "string"}, "example": example}}
    return {200: {"description": "The file", "content": content}}


def csv_body(*, with_json: bool, required: bool = True) -> dict[str, Any]:
    """The body of a route that takes a CSV file in any wrapping, and JSON if it says so."""
    form = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
    content: dict[str, Any] = {
        "text/csv": {"schema": {"type": "string"}, "example": CSV_EXAMPLE},
        "multipart/form-data": {"schema": form},
    }
    if with_json:
        schema = LISTING.json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        content["application/json"] = {"schema": schema, "example": JSON_EXAMPLE}
    return {"requestBody": {"required": required, "content": content}}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The body of a route that reads JSON by itself."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def name_of(route: APIRoute) -> str:
    """An operation is called as its function."""
    return route.name


def complete_openapi(app: FastAPI) -> None:
    """Have the application describe its problem documents, too."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        described = app.openapi_schema is not None
        document = generate()
        if not described:
            _add_schemas(document)
            _forget_item_schemas(document["paths"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def _add_schemas(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    listing = LISTING.json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(listing["$defs"])
    # FastAPI leaves out what is null, which these have to have.
    schemas["Batch"]["examples"] = [batches.EXAMPLE]
    schemas["Result"]["examples"] = [results.EXAMPLE]
    schemas["ClaimInfo"]["examples"] = [devices.CLAIM_INFO]
    schemas["Device"]["examples"] = [devices.DEVICE]
    schemas["SubscriptionCounts"]["examples"] = [subscriptions.COUNTS]
    schemas["Endpoint"]["examples"] = [endpoints.ENDPOINT]
    schemas["Delivery"]["examples"] = [endpoints.DELIVERY]


def _forget_item_schemas(paths: dict[str, Any]) -> None:
    # FastAPI describes streams as OpenAPI 3.2 does, in a document of 3.1.
    for operations in paths.values():
        for response in operations.get("get", {}).get("responses", {}).values():
            response.get("content", {}).get("text/event-stream", {}).pop("itemSchema", None)


def _content() -> dict[str, Any]:
    return {"schema": _PROBLEM, "examples": {}}


def _example(kind: type[Refused]) -> dict[str, Any]:
    title = kind("").title
    value = {**EXAMPLE, "type": kind.problem_type, "title": title, "status": kind.status, "detail": f"{title}."}
    return {"summary": title, "value": value}
