"""Peaks of resident memory, kept by the kernel; other systems than Linux keep none that can be reset."""

import re
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.installation import Installation

_RESET_PEAK = "5"
_peak = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE).search


def forget_peaks(installation: Installation) -> None:
    """Begin to measure anew."""
    if sys.platform == "linux":
        for process in _everything(installation):
            with suppress(OSError):
                Path(f"/proc/{process}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")


def peak_of_api(installation: Installation) -> int:
    """The API's, in bytes since `forget_peaks`; 0 where it is not known."""
    return _peak_of(installation.up["pids"]["api"])


def peak_of_workers(installation: Installation) -> int:
    """That of the process of Celery's pools that took most, in the same way."""
    return max((_peak_of(process) for process in _pool_processes(installation)), default=0)


def _everything(installation: Installation) -> list[int]:
    return [installation.up["pids"]["api"], *_pool_processes(installation)]


def _pool_processes(installation: Installation) -> list[int]:
    """Those that work: below `claimd worker` and Celery's main process."""
    workers = [pid for name, pid in installation.up["pids"].items() if name.startswith("worker")]
    mains = [main for pid in workers for main in psutil.Process(pid).children()]
    return [process.pid for main in mains for process in main.children()]


def _peak_of(process: int) -> int:
    if sys.platform != "linux":
        return 0
    with suppress(OSError):
        found = _peak(Path(f"/proc/{process}/status").read_text(encoding="ascii"))
        return int(found.group(1)) * 1024 if found else 0
    return 0
