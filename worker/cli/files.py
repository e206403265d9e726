"""Files that are sent somewhere, block by block."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from worker.errors import EnvironmentProblem

STDIN: Final = Path("-")
BLOCK_BYTES: Final = 256 * 1024


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, or standard input for `-`.

    Raises:
        EnvironmentProblem: it cannot be read.
    """
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        yield file


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """What the file holds, in blocks.

    Raises:
        EnvironmentProblem: it cannot be read to its end.
    """
    try:
        while block := file.read(BLOCK_BYTES):
            yield block
    except OSError as error:
        raise EnvironmentProblem(f"{file.name} cannot be read: {error.strerror}.") from error
