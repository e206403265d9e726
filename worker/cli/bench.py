"""`claimd bench`: what claimd takes, beside plain SQL and plain Celery."""

import importlib
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from worker.cli.options import AsJson
from worker.errors import EnvironmentProblem

CHECKOUT: Final = Path(__file__).parents[2]
_MODULE: Final = "benchmarks.__main__"


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Only 10,000 rows: a minute or two instead of ten.")] = False,
    as_json: AsJson = False,
) -> int:
    """Measure claimd on servers of its own; needs the source checkout."""
    require_benchmarks(CHECKOUT)
    sys.path.insert(0, str(CHECKOUT))
    arguments = ["--quick"] * quick + ["--json", "-"] * as_json
    return int(importlib.import_module(_MODULE).main(arguments))


def require_benchmarks(checkout: Path) -> None:
    """Refuse where there is nothing to run.

    Raises:
        EnvironmentProblem: the benchmark is not there.
    """
    if not checkout.joinpath(*_MODULE.split(".")).with_suffix(".py").is_file():
        raise EnvironmentProblem(
            "The benchmark is no part of the installed package: run it in claimd's source checkout."
        )
