"""A digest as a table in long form: one line for each number, `section,name,detail,value`."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from worker.digests.views import get_digest
from worker.intake import escape_formula
from worker.principal import Principal
from worker.runtime import Runtime

COLUMNS: Final = ("section", "name", "detail", "value")
Line = tuple[str, object, object, object]


def digest_csv(runtime: Runtime, principal: Principal, organization_id: str, day: date) -> bytes:
    """The digest of a day as CSV in UTF-8 with BOM, nothing in it run by a spreadsheet.

    Raises:
        NotFound: the caller sees no such organization, or it has no digest for this day.
        Forbidden: the token sees only some of its projects.
    """
    digest = get_digest(runtime, principal, organization_id, day)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in line] for line in _lines(digest))
    return text.getvalue().encode("utf-8-sig")


def _lines(digest: Mapping[str, Any]) -> Iterator[Line]:
    for name in ("date", "organization_id", "organization", "time_zone", "since", "until"):
        yield "period", name, None, digest[name]
    for name, value in digest["totals"].items():
        yield "totals", name, None, value
    for each in digest["batches"]:
        yield "batches", each["operation"], each["state"], each["batches"]
    for each in digest["failures"]:
        yield "failures", each["outcome"], None, each["devices"]
    for each in digest["files"]:
        yield "files", each["batch_id"], each["file_name"] or each["operation"], each["failed_rows"]
    for section in ("claims", "activations", "ending"):
        for each in digest[section]:
            yield section, each["project_id"], each["project"], each["devices"]
    for each in digest["ending_dates"]:
        yield "ending_dates", each["date"], None, each["devices"]
    for each in digest["deliveries"]:
        yield from _delivery_lines(each)


def _delivery_lines(endpoint: Mapping[str, Any]) -> Iterator[Line]:
    for name in ("failing", "dead", "disabled"):
        yield f"deliveries_{name}", endpoint["endpoint_id"], endpoint["target"], int(endpoint[name])


def _cell(value: object) -> str:
    return "" if value is None else escape_formula(str(value))
