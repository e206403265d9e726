"""`claimd lost`: what has to be sent again after the restore of an older database."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated

import typer

from worker.cli.failures import ExitCode
from worker.cli.files import opened
from worker.cli.local import local_runtime
from worker.cli.options import AsJson, DataDir
from worker.cli.output import say, show_list
from worker.errors import EnvironmentProblem
from worker.operations.lost import Accepted, find_lost, read_accepted

COLUMNS = ["batch_id", "created_at", "operation", "project_id", "reference", "file_name", "input_sha256"]
Files = Annotated[
    list[Path],
    typer.Argument(
        help="Logs of the API in JSON, or exports of `GET /v1/claim-batches`; - for standard input.",
        show_default=False,
    ),
]


def lost(files: Files, data_dir: DataDir = None, as_json: AsJson = False) -> int:
    """List the accepted batches that the database does not have; exit code 1 if there are any."""
    with local_runtime(data_dir) as runtime:
        found = find_lost(runtime, _read(files))
    if as_json or found:
        show_list([asdict(each) for each in found], COLUMNS, as_json=as_json)
    else:
        say("The database has every batch that is named there.")
    return ExitCode.ROWS_FAILED if found else ExitCode.DONE


def _read(files: Sequence[Path]) -> Iterator[Accepted]:
    for path in files:
        with opened(path) as file:
            yield from read_accepted(str(path), _lines(file))


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from file
    except OSError as error:
        raise EnvironmentProblem(f"{file.name} cannot be read: {error.strerror}.") from error
