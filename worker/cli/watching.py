"""Waiting for a batch, and saying what became of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from worker.cli.client import Api, Unreachable, batch_path
from worker.cli.failures import ExitCode
from worker.cli.output import console, say, show_fields, show_table
from worker.states import BAD, RUNNING, SUCCESSES, BatchState, Outcome

LOOK_SECONDS: Final = 0.3
# A restart of the API is no reason to stop waiting.
PATIENCE_SECONDS: Final = 60.0
MAX_SHOWN: Final = 10
_UNUSABLE: Final = frozenset({BatchState.REJECTED, BatchState.FAILED})
_SHOWN: Final = (
    "id",
    "state",
    "project_id",
    "file_name",
    "reference",
    "parent",
    "children",
    "created_at",
    "finished_at",
    "activate_at",
)


def wait(api: Api, batch: Mapping[str, Any]) -> dict[str, Any]:
    """The batch when nothing more happens to it by itself; shows the progress on a terminal.

    Raises:
        EnvironmentProblem: the API was gone for a minute.
    """
    with _progress() as progress:
        task = progress.add_task(str(batch["state"]), total=None)
        for seen in _looks(api, str(batch["id"])):
            _advance(progress, task, seen)
            if seen["state"] not in RUNNING:
                return seen
    raise AssertionError  # there is always another look


def show_batch(batch: Mapping[str, Any]) -> None:
    """What a batch is, how far it is, and what is wrong with it."""
    fields = {name: batch.get(name) for name in _SHOWN}
    total = batch.get("rows_total")
    fields["rows"] = None if total is None else f"{batch.get('rows_done', 0):,} of {total:,}"
    fields["totals"] = {name: f"{count:,}" for name, count in (batch.get("totals") or {}).items()}
    fields["failures"] = batch.get("failures") or {}
    fields["drift"] = batch.get("drift")
    show_fields(fields)
    problem = batch.get("problem")
    if problem:
        where = f" (line {problem['line']})" if problem.get("line") else ""
        say(f"{problem.get('title')}{where}: {problem.get('detail')}")


def show_failures(api: Api, batch: Mapping[str, Any]) -> None:
    """The first rows that failed, with what to do about them."""
    rows = sorted(_failures(api, batch), key=lambda row: int(row["row"]))[:MAX_SHOWN]
    if rows:
        say("First failed rows:")
        show_table(map(_with_name, rows), ["row", "line", "outcome", "named", "hint"])


def exit_code(batch: Mapping[str, Any], *, fail_on_rows: bool) -> ExitCode:
    """How a command that has waited for a batch ends."""
    if batch["state"] in _UNUSABLE:
        return ExitCode.REFUSED
    failed = any(outcome not in SUCCESSES for outcome in batch.get("totals") or {})
    return ExitCode.ROWS_FAILED if fail_on_rows and failed else ExitCode.DONE


def _looks(api: Api, batch_id: str) -> Iterator[dict[str, Any]]:
    while True:
        yield _patiently(lambda: api.get(batch_path(batch_id)))
        time.sleep(LOOK_SECONDS)


def _patiently(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return look()
        except Unreachable:
            if time.monotonic() > until:
                raise
            time.sleep(LOOK_SECONDS)


def _progress() -> Progress:
    err = console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=err, disable=not err.is_terminal, transient=True)


def _advance(progress: Progress, task: TaskID, batch: Mapping[str, Any]) -> None:
    progress.update(
        task,
        description=str(batch["state"]),
        total=batch.get("rows_total"),
        completed=batch.get("rows_done") or 0,
    )


def _failures(api: Api, batch: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    totals = batch.get("totals") or {}
    for outcome in Outcome:
        if outcome in BAD and outcome in totals:
            path = batch_path(str(batch["id"]), "results")
            yield from api.get(path, outcome=outcome.value, limit=MAX_SHOWN)["items"]


def _with_name(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with what it named: its first filled cell where it led to no device."""
    cells = (row.get("input") or {}).values()
    return {**row, "named": row.get("device_id") or next(filter(None, cells), "")}
