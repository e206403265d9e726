"""Waiting for other processes, with a deadline."""

import time
from collections.abc import Callable

import psutil


def wait_until(happened: Callable[[], object], seconds: float = 30.0, pause: float = 0.02) -> None:
    """Polls until `happened` is true, with a pause between two looks.

    Raises:
        AssertionError: it was not, in time.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(pause)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has fetched yet counts as ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
