"""`claimd inventory`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.files import blocks, opened
from worker.cli.local import local_runtime
from worker.cli.options import AsJson, DataDir
from worker.cli.output import show
from worker.inventory import import_inventory

inventory = typer.Typer(no_args_is_help=True, help="All devices and kits that were manufactured.")


@inventory.callback()
def _inventory() -> None:
    """All devices and kits that were manufactured."""


@inventory.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV file, or - for standard input.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add the devices and kits of a CSV file: all of them or, if a line cannot be used, none."""
    with opened(file) as source, local_runtime(data_dir) as runtime:
        show(asdict(import_inventory(runtime, blocks(source))), as_json=as_json)
