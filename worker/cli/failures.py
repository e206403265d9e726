"""What goes wrong, as exit codes and as words on standard error."""

import json
import sys
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from sqlalchemy.exc import OperationalError
from typer.exceptions import TyperException

from worker.cli.output import printable
from worker.database import first_sentence
from worker.errors import ClaimdError, EnvironmentProblem, Refused


class ExitCode(IntEnum):
    """How a command ended; the numbers are part of the contract."""

    DONE = 0
    ROWS_FAILED = 1  # or broken invariants
    USAGE = 2  # or the environment
    REFUSED = 3
    INTERRUPTED = 130


class ServerRefused(ClaimdError):
    """The API answered with a problem document."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("title", "")))
        self.problem = problem


# What a command may end with; everything else is a defect and keeps its traceback.
EXPECTED: Final = (ClaimdError, OperationalError, TyperException)


def report_failure(error: Exception, *, as_json: bool) -> ExitCode:
    """Say on standard error what went wrong."""
    problem = _problem(error)
    sys.stderr.write((json.dumps(problem) if as_json else _sentences(problem)) + "\n")
    return ExitCode.REFUSED if isinstance(error, (Refused, ServerRefused)) else ExitCode.USAGE


def _problem(error: Exception) -> Mapping[str, Any]:
    if isinstance(error, ServerRefused):
        return error.problem
    if isinstance(error, Refused):
        own = {"type": error.problem_type, "title": error.title, "status": error.status, "detail": error.detail}
        return {**own, **error.extensions}
    if isinstance(error, TyperException):
        return {"type": "usage", "title": "Usage", "detail": error.format_message()}
    detail = str(error)
    if isinstance(error, OperationalError):
        detail = f"The database cannot be used: {first_sentence(error)}"
    kind = "environment" if isinstance(error, (EnvironmentProblem, OperationalError)) else "failure"
    return {"type": kind, "title": "Environment", "detail": detail}


def _sentences(problem: Mapping[str, Any]) -> str:
    """The title, the detail, and the lines of a file that are to blame."""
    words = [problem.get("detail") or problem.get("title") or problem.get("type")]
    if "status" in problem and problem.get("detail"):
        words.insert(0, str(problem.get("title", "")).rstrip(".") + ":")
    lines = [" ".join(map(str, words)), *map(_place, problem.get("errors") or ())]
    return "\n".join(printable(line) for line in lines)


def _place(error: Mapping[str, Any]) -> str:
    where = f"line {error['line']}: " if "line" in error else ""
    return f"  {where}{error.get('detail', error)}"
