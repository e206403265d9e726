"""`claimd clock`: business time, which goes ahead of the clock where somebody tries things out."""

from datetime import timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from worker.cli.local import local_runtime
from worker.cli.options import AsJson, DataDir
from worker.cli.output import show
from worker.operations.clock import move_clock, show_clock


def _duration(written: str) -> timedelta:
    try:
        return TypeAdapter(timedelta).validate_python(written)
    except ValidationError as error:
        raise typer.BadParameter("a time such as P7D, PT2H or 7d is needed") from error


Ahead = Annotated[
    timedelta | None,
    typer.Option(
        parser=_duration,
        metavar="TIME",
        help="Let it go ahead by so much more, such as P7D, PT2H or 7d. It never goes back.",
        show_default=False,
    ),
]


def clock(ahead: Ahead = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show business time: hold windows, activation, reminders and digests go by it."""
    with local_runtime(data_dir) as runtime:
        show(show_clock(runtime) if ahead is None else move_clock(runtime, ahead), as_json=as_json)
