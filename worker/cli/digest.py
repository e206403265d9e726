"""`claimd digest`."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from worker.cli.client import connected
from worker.cli.downloads import save
from worker.cli.options import ApiUrl, AsJson, Cursor, DataDir, Limit, Organization, Token
from worker.cli.output import say, show_fields, show_json, show_page, show_table

digest = typer.Typer(no_args_is_help=True, help="Digests: what happened in an organization, day by day.")

# Each list of a digest, and the columns that people read.
LISTS = {
    "batches": ["operation", "state", "batches"],
    "claims": ["project_id", "project", "devices"],
    "failures": ["outcome", "devices"],
    "files": ["batch_id", "file_name", "state", "failed_rows", "problem"],
    "activations": ["project_id", "project", "devices"],
    "ending": ["project_id", "project", "devices", "first"],
    "ending_dates": ["date", "devices"],
    "deliveries": ["endpoint_id", "target", "failing", "dead", "disabled"],
}


@digest.command("list")
def list_digests(
    org: Organization,
    limit: Limit = 20,
    cursor: Cursor = None,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Digests, the newest first."""
    with connected(data_dir, api_url, token) as api:
        page = api.get(_path(org), limit=limit, cursor=cursor)
    show_page(page, ["date", "until", "totals"], as_json=as_json)


@digest.command("show")
def show_digest(
    org: Organization,
    day: Annotated[
        str | None, typer.Argument(help="Such as 2026-11-21; left out: the newest.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file for the CSV; standard output.", show_default=False)
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV: one line for each number.")] = False,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """One digest."""
    with connected(data_dir, api_url, token) as api:
        chosen = day or _newest(api.get(_path(org), limit=1))
        if as_csv:
            with api.download(_path(org, f"{chosen}.csv")) as body:
                save(body, output)
            return
        _show(api.get(_path(org, chosen)), as_json=as_json)


def _path(organization_id: str, *parts: str) -> str:
    own = ("v1", "organizations", organization_id, "digests", *parts)
    return "".join(f"/{quote(part, safe='')}" for part in own)


def _newest(page: dict[str, Any]) -> str:
    if not page["items"]:
        raise typer.BadParameter("There is no digest yet: the first is written at seven in the morning.")
    return str(page["items"][0]["date"])


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    show_fields({name: found[name] for name in ("organization", "date", "time_zone", "since", "until")})
    show_fields(found["totals"])
    for name, columns in LISTS.items():
        if found[name]:
            say(f"\n{name}")
            show_table(found[name], columns)
