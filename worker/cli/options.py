"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="The data folder of `claimd up`.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
LogAsJson = Annotated[bool, typer.Option("--json", help="Log in JSON.")]
ApiUrl = Annotated[
    str | None,
    typer.Option("--api-url", help="Where the API is: that of a running `claimd up`.", show_default=False),
]
Token = Annotated[
    str | None,
    typer.Option("--token", help="Bearer token; better given as CLAIMD_TOKEN.", show_default=False),
]
Organization = Annotated[str, typer.Option("--org", help="ID of the organization.")]
Watch = Annotated[bool, typer.Option("--watch", help="Wait for the end, with a progress bar.")]
FailOnRows = Annotated[bool, typer.Option("--fail-on-rows", help="Wait for the end; exit code 1 if any row failed.")]
BatchId = Annotated[str, typer.Argument(help="ID of the batch.", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="Where the next page begins.", show_default=False)]
