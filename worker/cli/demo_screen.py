"""What `claimd demo` shows of itself: one line for each step, then what became of the devices."""

import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from worker.cli.output import printable
from worker.states import SUCCESSES, Outcome, SubscriptionState

_WIDTH: Final = 100
_MEANINGS: Final = {
    Outcome.CLAIMED: "now held by the project",
    Outcome.ALREADY_YOURS: "held by it before: to send a row twice does no harm",
    Outcome.ALREADY_CLAIMED: "held by another project",
    Outcome.NOT_CLAIMABLE: "comes without a subscription",
    Outcome.NOT_FOUND: "no such device or kit, or the claim code does not fit",
    Outcome.DUPLICATE: "named by an earlier row, too",
    Outcome.INVALID_IDENTIFIER: "cannot be an identifier",
}
_NAMING: Final = ("Device ID", "Kit ID", "Serial number")


class Screen:
    """Standard output, on a terminal or elsewhere; quiet, it shows nothing."""

    def __init__(self, *, quiet: bool) -> None:
        wide = Console(quiet=quiet, highlight=False, emoji=False)
        self._out = Console(
            quiet=quiet, highlight=False, emoji=False, width=min(wide.width, _WIDTH) if wide.is_terminal else _WIDTH
        )
        self._began = self._first = time.monotonic()
        self._unfinished = False  # whether the cursor stands behind a step that goes on

    def begin(self, doing: str) -> None:
        """A step begins; seen on a terminal only, where its end overwrites it."""
        self._began = time.monotonic()
        if self._out.is_terminal:
            self._out.print(Text(f"  … {doing}", "dim"), end="\r")
            self._unfinished = True

    def end(self, done: str) -> None:
        """The step that began last is over."""
        seconds = f"{time.monotonic() - self._began:5.1f} s"
        line = Text.assemble(("  ✔ ", "green"), done.ljust(self._out.width - 20), (seconds, "dim"))
        self._out.print(line, no_wrap=True)
        self._unfinished = False

    def leave(self) -> None:
        """Whatever is said next begins a line of its own."""
        if self._unfinished:
            self._out.print()
        self._unfinished = False

    def note(self, line: str) -> None:
        """Something that was not planned; a closed terminal is no reason to stop."""
        with suppress(OSError):
            self._out.print(Text(f"  ! {line}", "yellow"))

    @contextmanager
    def progress(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """A bar of rows, which moves on a terminal only; to be told of each look at the batch."""
        self.begin("Waiting for a worker")
        bar = BarColumn(_WIDTH - 48, complete_style="green", finished_style="green", pulse_style="dim")
        columns = (TextColumn("    {task.description:<9}"), bar, TextColumn("{task.fields[rows]}"))
        with Progress(*columns, console=self._out, disable=self._out.quiet, refresh_per_second=20) as progress:
            task = progress.add_task("", total=None, rows="")
            yield lambda batch: progress.update(task, **_progress_of(batch))

    def show(
        self,
        batch: Mapping[str, Any],
        failed: Sequence[Mapping[str, str]],
        devices: Sequence[Mapping[str, Any]],
        report: Path,
    ) -> None:
        """What became of the order."""
        self._section(f"{batch['file_name']}: {batch['state']}")
        self._out.print(Padding(_totals(batch["totals"]), (0, 2)))
        self._section("The first rows that failed, and what to do about them")
        self._out.print(Padding(_failures(failed), (0, 2)))
        self._section("Prepaid time, which began when the hold window was over")
        self._out.print(Padding(_subscriptions(devices), (0, 2)))
        self._out.print(Text.assemble("\n  Row by row: ", (printable(str(report)), "bold")), soft_wrap=True)
        seconds = f"{time.monotonic() - self._first:.0f} s"
        last = f"  All in {seconds}, and nothing is left running. "
        self._out.print(Text.assemble(last, (f"{_program()} up", "bold"), " starts it to stay."), soft_wrap=True)

    def _section(self, title: str) -> None:
        self._out.print(Text(f"\n  {printable(title)}\n", "bold"))


def _progress_of(batch: Mapping[str, Any]) -> dict[str, Any]:
    done, total = batch["rows_done"] or 0, batch["rows_total"]
    rows = "" if total is None else f"{done:,} of {total:,} rows"
    return {"description": batch["state"], "completed": done, "total": total, "rows": rows}


def _totals(totals: Mapping[str, int]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    for outcome, meaning in _MEANINGS.items():
        count = totals.get(outcome, 0)
        table.add_row(Text(outcome, _style(outcome)), f"{count:,}", Text(meaning, "dim"))
    return table


def _failures(failed: Sequence[Mapping[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("row", justify="right")
    for title in ("you wrote", "outcome", "what to do"):
        table.add_column(title, overflow="fold")
    for row in failed:
        outcome = row["outcome"]
        named = next(filter(None, (row[column] for column in _NAMING)), "")
        table.add_row(row["row"], Text(printable(named)), Text(outcome, _style(outcome)), Text(row["hint"]))
    return table


def _subscriptions(devices: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("device", "months", "subscription", "starts at, UTC", "ends at, UTC"):
        table.add_column(title, justify="right" if title == "months" else "left")
    for device in devices:
        own = device["subscription"]
        state = Text(own["state"], "green" if own["state"] == SubscriptionState.ACTIVE else "red")
        period = (_second(own["starts_at"]), _second(own["ends_at"]))
        table.add_row(Text(printable(device["device_id"])), f"{device['prepaid_months']}", state, *period)
    return table


def _second(moment: str | None) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S}" if moment else ""


def _program() -> str:
    """How the user calls claimd: by its path where the shell does not find it by its name."""
    called = sys.argv[0]
    return "claimd" if shutil.which("claimd") or Path(called).name != "claimd" else shlex.quote(called)


def _style(outcome: str) -> str:
    return "green" if outcome in SUCCESSES else "red"
