"""`claimd up`: everything on this machine, until Ctrl-C."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from worker.embedded.instance import Addresses, Instance
from worker.settings import load_settings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where servers, keys and logs are kept.", show_default=False)
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="The API's port: 8000 if free.", show_default=False),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, max=64, help="Processes for each queue of batches: 2.", show_default=False),
]


def up(
    data_dir: DataDir = None,
    port: Port = None,
    workers: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as JSON.")] = False,
) -> None:
    """Start everything on this machine: PostgreSQL, broker, API, workers, beat, Flower. Ctrl-C stops it."""
    instance = Instance(load_settings(data_dir=data_dir, api_port=port), workers, note)
    note(f"Starting claimd in {instance.data_dir} …")
    instance.run(print_json if as_json else lambda addresses: note_addresses(addresses, instance.data_dir))
    note("claimd has stopped.")


def note(line: str) -> None:
    """One line for whoever watches; a closed terminal is no reason to stop."""
    with suppress(OSError):
        typer.echo(line, err=True)


def print_json(addresses: Addresses) -> None:
    """The addresses for a script."""
    with suppress(OSError):
        typer.echo(json.dumps(asdict(addresses)))


def note_addresses(addresses: Addresses, data_dir: Path) -> None:
    """The addresses for a person, with the two secrets that are needed to use them."""
    lines = {
        "API": addresses.api_url,
        "Docs": f"{addresses.api_url}/docs",
        "Flower": f"{addresses.flower_url}  user {addresses.flower_user}, password {addresses.flower_password}",
        "Token": addresses.token,
        "Project": addresses.project_id,
        "Files": f"{data_dir}, logs in {data_dir / 'logs'}",
    }
    with suppress(OSError):
        typer.echo("claimd is running; Ctrl-C stops it.")
        for name, value in lines.items():
            typer.echo(f"  {name:<8} {value}")
