"""`claimd claim`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from worker.cli.batch import answer
from worker.cli.client import connected
from worker.cli.files import STDIN, blocks, opened
from worker.cli.options import ApiUrl, AsJson, DataDir, FailOnRows, Token, Watch
from worker.states import Mode

Project = Annotated[str, typer.Option("--project", help="ID of the project to claim into.")]
Preview = Annotated[bool, typer.Option("--preview", help="Only say what would be claimed.")]
Atomic = Annotated[bool, typer.Option("--atomic", help="Claim all rows, or none if one is bad.")]
Reference = Annotated[str | None, typer.Option("--reference", help="A text of your own.", show_default=False)]
MaxClaims = Annotated[
    int | None,
    typer.Option("--max-claims", min=0, help="Claim nothing if it would be more.", show_default=False),
]
Parent = Annotated[
    str | None,
    typer.Option("--parent", help="The batch whose failed rows these are.", show_default=False),
]
ActivateOn = Annotated[
    datetime | None,
    typer.Option(
        "--activate-on",
        formats=["%Y-%m-%d"],
        metavar="YYYY-MM-DD",
        help="The day on which prepaid time starts, up to 24 months ahead.",
        show_default=False,
    ),
]
Key = Annotated[
    str | None,
    typer.Option("--idempotency-key", help="Send the same twice, have it done once.", show_default=False),
]


def claim(  # noqa: PLR0913, PLR0917  # its options
    file: Annotated[Path, typer.Argument(help="A CSV file, or - for standard input.", show_default=False)],
    project: Project,
    preview: Preview = False,
    atomic: Atomic = False,
    watch: Watch = False,
    fail_on_rows: FailOnRows = False,
    reference: Reference = None,
    max_claims: MaxClaims = None,
    parent: Parent = None,
    activate_on: ActivateOn = None,
    idempotency_key: Key = None,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Claim the devices that a CSV file names."""
    options = {
        "mode": Mode.ATOMIC if atomic else None,
        "preview": preview or None,
        "reference": reference,
        "max_claims": max_claims,
        "parent": parent,
        "activate_on": activate_on and activate_on.date(),
    }
    path = f"/v1/projects/{quote(project, safe='')}/claim-batches"
    with opened(file) as source, connected(data_dir, api_url, token) as api:
        batch = api.upload(path, blocks(source), upload_headers(file, idempotency_key), options)
        return answer(api, batch, watch=watch or fail_on_rows, fail_on_rows=fail_on_rows, as_json=as_json)


def upload_headers(file: Path, key: str | None = None) -> dict[str, str]:
    """The headers with which a CSV file is sent."""
    headers = {"Content-Type": "text/csv"}
    if file != STDIN:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
    return headers if key is None else {**headers, "Idempotency-Key": key}
