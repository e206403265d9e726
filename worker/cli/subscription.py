"""`claimd subscription`."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from worker.cli.batch import answer
from worker.cli.claim import upload_headers
from worker.cli.client import Api, connected
from worker.cli.downloads import save
from worker.cli.files import blocks, opened
from worker.cli.options import ApiUrl, AsJson, DataDir, FailOnRows, Organization, Token, Watch
from worker.cli.output import show_json, show_table

subscription = typer.Typer(no_args_is_help=True, help="Subscriptions: the prepaid time of claimed devices.")

Project = Annotated[str, typer.Option("--project", help="ID of the project that holds the devices.")]
Activate = Annotated[str, typer.Option("--activate", metavar="now|YYYY-MM-DD", help="When they are to start.")]
File = Annotated[
    Path | None, typer.Argument(help="A CSV file of devices, or - for standard input.", show_default=False)
]
OfBatch = Annotated[
    str | None, typer.Option("--batch", help="Instead of a file: what this batch has claimed.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="Instead of a file: all that the project holds.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="One line for each device, as CSV.")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Where the CSV is written: standard output.", show_default=False),
]


@subscription.command("plan")
def plan(  # noqa: PLR0913, PLR0917  # its options
    project: Project,
    activate: Activate,
    file: File = None,
    batch: OfBatch = None,
    everything: All = False,
    watch: Watch = False,
    fail_on_rows: FailOnRows = False,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Change when subscriptions start: of the devices of a file, of a batch, or of a project."""
    if (file is not None) + (batch is not None) + everything != 1:
        raise typer.BadParameter("name the devices in one way: by a file, by --batch, or by --all.")
    path = f"/v1/projects/{quote(project, safe='')}/plan-batches"
    options = {"activate": activate, "batch_id": batch, "all": everything or None}
    with connected(data_dir, api_url, token) as api:
        found = api.post(path, **options) if file is None else _send(api, path, file, options)
        return answer(api, found, watch=watch or fail_on_rows, fail_on_rows=fail_on_rows, as_json=as_json)


@subscription.command("report")
def report(
    org: Organization,
    as_csv: AsCsv = False,
    output: Output = None,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """How many devices are in which state, and in which months their prepaid time starts and ends."""
    path = f"/v1/organizations/{quote(org, safe='')}/subscriptions"
    with connected(data_dir, api_url, token) as api:
        if as_csv or output is not None:
            with api.download(f"{path}.csv") as body:
                save(body, output)
            return
        found = api.get(path)
    _show_counts(found, as_json=as_json)


def _show_counts(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    projects = [{"project": each["name"], **each, **each["states"]} for each in found["projects"]]
    total = {"project": "all", **found, **found["states"]}
    show_table([*projects, total], ["project", "scheduled", "active", "expired", "planned", "starts", "ends"])


def _send(api: Api, path: str, file: Path, options: dict[str, Any]) -> dict[str, Any]:
    with opened(file) as source:
        return api.upload(path, blocks(source), upload_headers(file), options)
