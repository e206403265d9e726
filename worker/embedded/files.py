"""Files in the data folder that nobody else may read."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from worker.errors import EnvironmentProblem

_KEEP_LOG_BELOW = 10_000_000


def write_private(path: Path, text: str) -> None:
    """Replaces `path` in one step by a file of mode 0600: readers see the old or the new text, whole."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync_folder(path.parent)


def read_json(path: Path) -> dict[str, Any]:
    """What `path` holds, or nothing if it is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def sync_folder(folder: Path) -> None:
    """Makes a rename inside `folder` survive a power failure."""
    with closing(os.open(folder, os.O_RDONLY)) as descriptor:
        os.fsync(descriptor)


def open_log(path: Path) -> int:
    """Opens a log for appending, mode 0600; a long one is put aside as `<name>.1` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _KEEP_LOG_BELOW:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def last_line(path: Path) -> str:
    """The last line of a log that says something."""
    try:
        lines = path.read_bytes()[-10_000:].decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextmanager
def data_dir_lock(data_dir: Path) -> Iterator[None]:
    """Keeps a second claimd out of `data_dir`; the kernel lets go of it however the holder ends.

    Raises:
        EnvironmentProblem: another claimd holds it, or it belongs to someone else.
    """
    # Python's descriptors are not inherited by children, so no orphan can hold the lock.
    with closing(_open_lock(data_dir)) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EnvironmentProblem(
                f"Another claimd is running in the data folder {data_dir}: stop it first, or choose another --data-dir."
            ) from error
        yield


def _open_lock(data_dir: Path) -> int:
    try:
        return os.open(data_dir / "claimd.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EnvironmentProblem(
            f"The data folder {data_dir} cannot be used ({error.strerror}): choose another --data-dir."
        ) from error


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Closes an operating-system file at the end of the block."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)
