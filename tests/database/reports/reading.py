"""Reports read to their end, and principals who see less than everything."""

import csv
import io
from dataclasses import replace
from typing import Any

from sqlalchemy import text

from tests.claims import Sender
from worker.principal import Principal
from worker.reports import report_csv, results_page
from worker.runtime import Runtime
from worker.states import Role


def items(runtime: Runtime, sender: Sender, batch: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """One page of results."""
    found: list[dict[str, Any]] = results_page(runtime, sender.principal, batch["id"], **options)["items"]
    return found


def all_items(runtime: Runtime, sender: Sender, batch: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """All pages, one after the other."""
    page = results_page(runtime, sender.principal, batch["id"], **options)
    found: list[dict[str, Any]] = page["items"]
    while page["next_cursor"]:
        page = results_page(runtime, sender.principal, batch["id"], **options, cursor=page["next_cursor"])
        found += page["items"]
    return found


def told(runtime: Runtime, sender: Sender, batch: dict[str, Any], *names: str) -> list[tuple[Any, ...]]:
    """Some members of each result."""
    return [tuple(item[name] for name in names) for item in items(runtime, sender, batch, limit=1000)]


def csv_text(runtime: Runtime, sender: Sender, batch: dict[str, Any], *, only_failed: bool = False) -> str:
    """The report as text, its byte order mark taken off."""
    body = b"".join(report_csv(runtime, sender.principal, batch["id"], only_failed=only_failed))
    assert body.startswith(b"\xef\xbb\xbf")
    return body.decode("utf-8-sig")


def csv_rows(runtime: Runtime, sender: Sender, batch: dict[str, Any], delimiter: str = ",") -> list[list[str]]:
    """The report's cells, the header first."""
    return list(csv.reader(io.StringIO(csv_text(runtime, sender, batch), newline=""), delimiter=delimiter))


def viewer_of(runtime: Runtime, sender: Sender) -> Principal:
    """Someone who sees the sender's project and no other."""
    query = text("select key from project where public_id = :id")
    with runtime.transaction() as connection:
        key = connection.execute(query, {"id": sender.project_id}).scalar_one()
    return replace(sender.principal, roles=frozenset({Role.VIEWER}), project_keys=frozenset({key}))


def show_in_capitals(runtime: Runtime) -> None:
    """As if the inventory had been imported in capital letters."""
    with runtime.transaction() as connection:
        connection.execute(text("update device set shown_id = upper(device_id), shown_serial = upper(serial_number)"))
        connection.execute(text("update kit set shown_id = upper(kit_id)"))
