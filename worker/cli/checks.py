"""`claimd status` and `claimd verify`: how claimd is doing, and whether its data is sound."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from worker.cli.discovery import discover
from worker.cli.failures import ExitCode
from worker.cli.halts import COLUMNS as _HALT_COLUMNS
from worker.cli.local import local_runtime
from worker.cli.options import AsJson, DataDir
from worker.cli.output import say, show_fields, show_json, show_list, show_table
from worker.operations.status import status as read_status
from worker.operations.verify import verify as find_violations
from worker.runtime import build_runtime

_PERIODIC_COLUMNS = ("periodic task", "last run", "lag", "backlog", "handled", "", "error")


def status(data_dir: DataDir = None, as_json: AsJson = False) -> int:
    """Show servers, queues, batches and periodic tasks; exit code 2 if a server cannot be used."""
    runtime = build_runtime(discover(data_dir))
    try:
        found = read_status(runtime)
    finally:
        runtime.close()
    if as_json:
        show_json(found)
    else:
        _show_for_people(found)
    return ExitCode.DONE if found["healthy"] else ExitCode.USAGE


def _show_for_people(found: Mapping[str, Any]) -> None:
    database = dict(found["database"])
    periodic, halts = database.pop("periodic", {}), database.pop("halts", [])
    if not database.get("clock_ahead_seconds"):
        database.pop("clock_ahead_seconds", None)
    show_fields(dict(_flat({**found, "database": database})))
    if halts:
        say("")
        show_table(halts, _HALT_COLUMNS)
    if periodic:
        say("")
        show_table([_periodic_row(task, standing) for task, standing in periodic.items()], _PERIODIC_COLUMNS)


def _periodic_row(task: str, standing: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "periodic task": task,
        "last run": standing["last_run"] or "never",
        "lag": f"{standing['lag_seconds']:.0f} s",
        "backlog": standing["backlog"],
        "handled": standing["handled"],
        "": "late" if standing["late"] else "",
        "error": standing["error"],
    }


def verify(data_dir: DataDir = None, as_json: AsJson = False) -> int:
    """Check every invariant of the database; exit code 1 if one is broken."""
    with local_runtime(data_dir) as runtime:
        broken = [asdict(violation) for violation in find_violations(runtime)]
    if as_json or broken:
        show_list(broken, ["invariant", "detail"], as_json=as_json)
    else:
        say("Every invariant holds.")
    return ExitCode.ROWS_FAILED if broken else ExitCode.DONE


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The document without documents inside those inside it."""
    for name, value in document.items():
        if isinstance(value, Mapping) and any(isinstance(each, Mapping) for each in value.values()):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", value
