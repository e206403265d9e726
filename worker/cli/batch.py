"""`claimd batch`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.cli.client import BATCHES, Api, batch_path, connected
from worker.cli.downloads import save
from worker.cli.failures import ExitCode
from worker.cli.options import ApiUrl, AsJson, BatchId, Cursor, DataDir, FailOnRows, Limit, Token, Watch
from worker.cli.output import show_json, show_page
from worker.cli.watching import exit_code, show_batch, show_failures, wait
from worker.states import BatchState, Outcome

batch = typer.Typer(no_args_is_help=True, help="Batches: what was sent, and what became of it.")


@batch.command("list")
def list_batches(
    project: Annotated[str | None, typer.Option("--project", help="Of one project.", show_default=False)] = None,
    state: Annotated[BatchState | None, typer.Option("--state", help="In one state.", show_default=False)] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Batches, the newest first."""
    with connected(data_dir, api_url, token) as api:
        page = api.get(BATCHES, project_id=project, state=state, limit=limit, cursor=cursor)
    show_page(page, ["id", "state", "rows_total", "totals", "file_name", "created_at"], as_json=as_json)


@batch.command("show")
def show_one(
    batch_id: BatchId,
    watch: Watch = False,
    fail_on_rows: FailOnRows = False,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """One batch."""
    with connected(data_dir, api_url, token) as api:
        found = api.get(batch_path(batch_id))
        return answer(api, found, watch=watch or fail_on_rows, fail_on_rows=fail_on_rows, as_json=as_json)


@batch.command("results")
def list_results(
    batch_id: BatchId,
    outcome: Annotated[Outcome | None, typer.Option("--outcome", help="With one outcome.", show_default=False)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What became of each row, device by device."""
    with connected(data_dir, api_url, token) as api:
        page = api.get(batch_path(batch_id, "results"), outcome=outcome, limit=limit, cursor=cursor)
    show_page(page, ["row", "line", "outcome", "device_id", "kit_id", "detail", "hint"], as_json=as_json)


@batch.command("confirm")
def confirm(
    batch_id: BatchId,
    require_unchanged: Annotated[
        bool, typer.Option("--require-unchanged", help="Claim nothing if any result would be another.")
    ] = False,
    watch: Watch = False,
    fail_on_rows: FailOnRows = False,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Claim what a preview has shown."""
    with connected(data_dir, api_url, token) as api:
        found = api.post(batch_path(batch_id, "confirm"), require_unchanged=require_unchanged or None)
        return answer(api, found, watch=watch or fail_on_rows, fail_on_rows=fail_on_rows, as_json=as_json)


@batch.command("cancel")
def cancel(
    batch_id: BatchId,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Stop a batch. What it has claimed stays claimed."""
    with connected(data_dir, api_url, token) as api:
        found = api.post(batch_path(batch_id, "cancel"))
        return answer(api, found, watch=False, fail_on_rows=False, as_json=as_json)


@batch.command("revert")
def revert(
    batch_id: BatchId,
    watch: Watch = False,
    fail_on_rows: FailOnRows = False,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Give back what a batch has claimed, as long as its hold window is not over."""
    with connected(data_dir, api_url, token) as api:
        found = api.post(batch_path(batch_id, "revert"))
        return answer(api, found, watch=watch or fail_on_rows, fail_on_rows=fail_on_rows, as_json=as_json)


@batch.command("resume")
def resume(
    batch_id: BatchId,
    watch: Watch = False,
    fail_on_rows: FailOnRows = False,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Take up a failed batch where it was left."""
    with connected(data_dir, api_url, token) as api:
        found = api.post(batch_path(batch_id, "resume"))
        return answer(api, found, watch=watch or fail_on_rows, fail_on_rows=fail_on_rows, as_json=as_json)


@batch.command("report")
def report(
    batch_id: BatchId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file to write; standard output.", show_default=False)
    ] = None,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="The rows to mend; CSV only.")] = False,
    bundle: Annotated[bool, typer.Option("--bundle", help="A ZIP with both kinds and a signed manifest.")] = False,
    api_url: ApiUrl = None,
    token: Token = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of CSV.")] = False,
) -> None:
    """Download the report: all rows with their outcomes, as CSV."""
    if as_json and only_failed:
        raise typer.BadParameter("JSON lines have all rows: leave --json or --only-failed out.")
    if bundle and (as_json or only_failed):
        raise typer.BadParameter("A bundle has all rows in both kinds: leave --json and --only-failed out.")
    name = "report.zip" if bundle else "results.jsonl" if as_json else "results.csv"
    with connected(data_dir, api_url, token) as api:
        only = "failed" if only_failed else None
        with api.download(batch_path(batch_id, name), only=only) as body:
            save(body, output)


def answer(api: Api, found: Mapping[str, Any], *, watch: bool, fail_on_rows: bool, as_json: bool) -> ExitCode:
    """Show a batch, at once or once nothing more happens to it; returns how the command ends."""
    seen = wait(api, found) if watch else found
    if as_json:
        show_json(seen)
    else:
        show_batch(seen)
        if watch:
            show_failures(api, seen)
    return exit_code(seen, fail_on_rows=fail_on_rows) if watch else ExitCode.DONE
