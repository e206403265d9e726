"""Named places where a process can be held, so that tests kill it, or let a rival overtake it, exactly there.

Only tests set CLAIMD_CRASHPOINTS, to a folder; without it `watch` and `reach` do nothing. Every commit is such a
place, `before` and `after` it, named by the function that commits. To hold the next process that comes to a place,
a test puts a file of that name with the ending `.armed` into the folder; it becomes `.held`, with the process's pid
in it, and the process waits until the file is gone. Where there is a file `reached`, all places are noted in it.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, event

_FOLDER: Final = os.environ.get("CLAIMD_CRASHPOINTS")
_OURS: Final = ("worker.", "api_stub.")
_NOBODY: Final = frozenset({__name__, "worker.database", "worker.runtime"})


def watch(engine: Engine) -> None:
    """Make every commit of this engine a crash point."""
    if _FOLDER is not None:
        event.listen(engine, "commit", _around_commit)


def reach(name: str) -> None:
    """A crash point that is no commit."""
    if _FOLDER is not None:
        _hold(Path(_FOLDER), name)


def _around_commit(connection: Connection) -> None:
    name = _committer()
    reach(f"{name}:before")
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  # it is about to commit
    driver.commit()  # the engine's own commit finds nothing left to do
    reach(f"{name}:after")


def _committer() -> str:
    frame = sys._getframe()  # noqa: SLF001  # nothing public is as cheap
    while frame.f_back is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_OURS) and module not in _NOBODY:
            return f"{module}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return "unknown"


def _hold(folder: Path, name: str) -> None:
    reached = folder / "reached"
    if reached.exists():
        with reached.open("a") as file:
            file.write(name + "\n")
    held = folder / f"{name}.held"
    with suppress(FileNotFoundError):  # nobody armed it, or another process was first
        (folder / f"{name}.armed").rename(held)
        held.write_text(str(os.getpid()))
        while held.exists():
            time.sleep(0.01)
