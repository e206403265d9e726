"""Files that the API streams."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from worker.errors import EnvironmentProblem


def save(body: Iterator[bytes], path: Path | None) -> None:
    """Write `body` to a file, which appears when all of it is there, or to standard output.

    Raises:
        EnvironmentProblem: the file cannot be written.
    """
    if path is None:
        for block in body:
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        return
    try:
        _replace(body, path)
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be written: {error.strerror}.") from error


def _replace(body: Iterator[bytes], path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        new = Path(file.name)
        try:
            for block in body:
                file.write(block)
            new.chmod(0o666 & ~_umask())
            new.replace(path)
        except BaseException:
            new.unlink()
            raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
