"""`claimd pause`, `claimd drain` and `claimd resume`: stop beginning work, or accepting it."""

from typing import Annotated

import typer

from worker.cli.local import local_runtime
from worker.cli.options import AsJson, DataDir
from worker.cli.output import show, show_list
from worker.operations import halts
from worker.states import Halt, Queue

OfQueue = Annotated[Queue | None, typer.Option("--queue", help="Only this queue.", show_default=False)]
OfOrganization = Annotated[str | None, typer.Option("--org", help="Only this organization.", show_default=False)]
Reason = Annotated[str | None, typer.Option("--reason", help="Shown by `claimd status`.", show_default=False)]
COLUMNS = ["kind", "queue", "organization_id", "reason", "created_at"]


def pause(
    queue: OfQueue = None,
    org: OfOrganization = None,
    reason: Reason = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Begin nothing new, everywhere or in one place. What is accepted waits; what runs ends."""
    with local_runtime(data_dir) as runtime:
        show_list(halts.halt(runtime, Halt.PAUSE, queue, org, reason), COLUMNS, as_json=as_json)


def drain(
    queue: OfQueue = None,
    org: OfOrganization = None,
    reason: Reason = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Accept no new batches, everywhere or in one place. What waits is worked off."""
    with local_runtime(data_dir) as runtime:
        show_list(halts.halt(runtime, Halt.DRAIN, queue, org, reason), COLUMNS, as_json=as_json)


def resume(
    queue: OfQueue = None, org: OfOrganization = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """End the halts of a queue or an organization; without either, all of them."""
    with local_runtime(data_dir) as runtime:
        show({"lifted": halts.lift(runtime, queue, org)}, as_json=as_json)
