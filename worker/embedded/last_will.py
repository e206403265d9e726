"""What is done for claimd when it can no longer do it itself."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.embedded.files import closing


@contextmanager
def removed_at_the_end(path: Path) -> Iterator[None]:
    """Removes `path` when the block ends and also when this process is killed, by whatever signal.

    A shell waits for the end of a pipe whose other end only this process holds.
    """
    path.unlink(missing_ok=True)
    reading, writing = os.pipe()
    with closing(reading):
        executor = _executor(path, reading)
    with executor, closing(writing):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _executor(path: Path, reading: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # our own words
        ["/bin/sh", "-c", 'read -r _; rm -f -- "$1"', "sh", path],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what ends us by way of our group does not end it
        cwd="/",
    )
