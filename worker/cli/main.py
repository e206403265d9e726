"""`claimd`: one program for everything."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from worker.cli import accounts, halts, processes
from worker.cli.batch import batch
from worker.cli.bench import bench
from worker.cli.checks import status, verify
from worker.cli.claim import claim
from worker.cli.clock import clock
from worker.cli.demo import demo
from worker.cli.digest import digest
from worker.cli.failures import EXPECTED, ExitCode, report_failure
from worker.cli.inventory import inventory
from worker.cli.lost import lost
from worker.cli.report import report
from worker.cli.subscription import subscription
from worker.cli.up import up
from worker.cli.webhook import webhook
from worker.version import __version__

app = typer.Typer(
    name="claimd",
    help="Bulk device claims as durable background jobs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(up)
app.command()(demo)
for process in (processes.api, processes.worker, processes.beat, processes.flower, processes.migrate):
    app.command()(process)
for command in (status, verify, lost, clock, halts.pause, halts.drain, halts.resume, claim, bench):
    app.command()(command)
for name, group in (
    ("batch", batch),
    ("report", report),
    ("digest", digest),
    ("webhook", webhook),
    ("subscription", subscription),
    ("inventory", inventory),
    ("org", accounts.org),
    ("project", accounts.project),
    ("token", accounts.token),
):
    app.add_typer(group, name=name)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"claimd {__version__}")
        raise typer.Exit


@app.callback()
def _claimd(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Bulk device claims as durable background jobs."""


def main() -> None:
    """Run the command that the arguments name, and exit as the contract has it."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code of a command."""
    try:
        code = get_command(app).main(list(arguments), prog_name="claimd", standalone_mode=False)
        sys.stdout.flush()
    except EXPECTED as error:
        return report_failure(error, as_json="--json" in arguments)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        return _ended(error)
    except Exception:  # noqa: BLE001  # a defect; Python's own exit code for it would say that rows failed
        traceback.print_exc()
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.DONE


def _ended(error: BrokenPipeError | SystemExit) -> int:
    """Whoever read our output has gone: nothing is left to be said, nor at the interpreter's end."""
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.INTERRUPTED
    return error.code if isinstance(error.code, int) else ExitCode.DONE


if __name__ == "__main__":
    main()
