"""Commands that work on the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.cli.discovery import discover
from worker.runtime import Runtime, build_runtime
from worker.schema import check_schema


@contextmanager
def local_runtime(data_dir: Path | None) -> Iterator[Runtime]:
    """A runtime on the database that was found, whose schema is ours.

    Raises:
        EnvironmentProblem: there is none, or it cannot be used.
    """
    runtime = build_runtime(discover(data_dir))
    try:
        check_schema(runtime.engine)
        yield runtime
    finally:
        runtime.close()
