"""The single processes of a deployment."""

from typing import Annotated

import typer

from worker.cli.discovery import discover
from worker.cli.options import AsJson, DataDir, LogAsJson
from worker.cli.output import show
from worker.database import build_engine
from worker.logs import configure_logging
from worker.schema import migrate as migrate_schema
from worker.settings import Settings
from worker.states import Queue

Queues = Annotated[
    list[Queue] | None,
    typer.Option("--queue", help="Queue to work on; repeat it for several. All of them.", show_default=False),
]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Processes that work.")]


def api(data_dir: DataDir = None, as_json: LogAsJson = False) -> None:
    """Serve the HTTP API."""
    from api_stub.server import serve  # noqa: PLC0415  # no other command needs it, and it takes long

    serve(_settings(data_dir, as_json))


def worker(
    queue: Queues = None, concurrency: Concurrency = 2, data_dir: DataDir = None, as_json: LogAsJson = False
) -> int:
    """Work on batches."""
    from worker.tasks.parent import run_worker  # noqa: PLC0415  # as above

    return run_worker(_settings(data_dir, as_json), queue or list(Queue), concurrency)


def beat(data_dir: DataDir = None, as_json: LogAsJson = False) -> int:
    """Send the periodic messages."""
    from worker.tasks.beat import run_beat  # noqa: PLC0415  # as above

    return run_beat(_settings(data_dir, as_json))


def flower(data_dir: DataDir = None, as_json: LogAsJson = False) -> int:
    """Watch the workers in a browser."""
    from worker.tasks.flower import run_flower  # noqa: PLC0415  # as above

    return run_flower(_settings(data_dir, as_json))


def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Bring the database's schema to this version."""
    engine = build_engine(discover(data_dir).require_database_url(), pool_size=1)
    try:
        show({"schema": migrate_schema(engine)}, as_json=as_json)
    finally:
        engine.dispose()


def _settings(data_dir: DataDir, as_json: bool) -> Settings:
    settings = discover(data_dir, log_format="json" if as_json else None)
    configure_logging(settings)
    return settings
