"""`python -m benchmarks [--quick] [--json FILE]`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Figures
from benchmarks.run import FULL, QUICK, run
from benchmarks.table import show

_STDOUT = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure claimd beside plain SQL and plain Celery.")
    parser.add_argument("--quick", action="store_true", help="the smallest size only: a minute or two")
    parser.add_argument("--json", metavar="FILE", help="write the raw figures there; `-`: in place of the table")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="claimd-bench-") as folder:
        figures = run(QUICK if chosen.quick else FULL, Path(folder), _say)
    if chosen.json:
        _write(figures, chosen.json)
    if chosen.json != _STDOUT:
        show(figures, Console(width=None if sys.stdout.isatty() else 120, highlight=False))
    return 0


def _write(figures: Figures, name: str) -> None:
    text = json.dumps(asdict(figures), indent=2) + "\n"
    if name == _STDOUT:
        sys.stdout.write(text)
    else:
        Path(name).write_text(text, encoding="utf-8")


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
