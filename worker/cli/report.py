"""`claimd report`: the proof that a report is whole and unchanged."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.client import connected
from worker.cli.failures import ExitCode
from worker.cli.options import ApiUrl, AsJson, DataDir, Token
from worker.cli.output import say, show, show_json
from worker.errors import EnvironmentProblem
from worker.proof import PublicKey, Verification, read_public_key, verify_report

report = typer.Typer(no_args_is_help=True, help="Signed reports.")

_LONGEST_KEY = 10_000


@report.command("verify")
def verify(
    file: Annotated[
        Path, typer.Argument(help="A bundle, or a manifest with its results beside it.", show_default=False)
    ],
    original: Annotated[
        Path | None, typer.Option("--input", help="The file that was sent, to be checked as well.", show_default=False)
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The key that must have signed it: base64, or a file with it.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check a report on any machine: signature, files, one outcome for each row; exit code 1 if it is not sound."""
    try:
        found = verify_report(file, original, None if key is None else _public_key(key))
    except OSError as error:
        raise EnvironmentProblem(f"{error.filename} cannot be read: {error.strerror}.") from error
    if as_json:
        show_json(asdict(found))
    else:
        for line in _sentences(found):
            say(line)
    return ExitCode.ROWS_FAILED if found.problems else ExitCode.DONE


@report.command("key")
def show_key(api_url: ApiUrl = None, token: Token = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the public key with which this claimd signs."""
    with connected(data_dir, api_url, token) as api:
        show(api.get("/v1/signing-key"), as_json=as_json)


def _public_key(text: str) -> PublicKey:
    try:
        path = Path(text)
        return read_public_key(path.read_text(encoding="ascii")[:_LONGEST_KEY] if path.is_file() else text)
    except (ValueError, OSError) as error:
        raise typer.BadParameter("This is no public key: 32 bytes in base64 are expected.") from error


def _sentences(found: Verification) -> list[str]:
    if found.problems:
        return ["This report is not sound:", *(f"  {problem}" for problem in found.problems)]
    rows = f"{found.rows_total:,} rows, each with its outcome" if found.rows_total else "no rows could be read"
    return [
        f"Batch {found.batch_id} is reported soundly: {rows}; {found.results_total:,} results.",
        *(["The original is the file that was sent."] if found.input_checked else []),
        f"It is signed by the key {found.key_id}" + ("." if found.key_checked else ","),
        *([] if found.key_checked else [_UNKNOWN_KEY]),
    ]


_UNKNOWN_KEY = "which may be anyone's: give --key with what `claimd report key` shows, to know who signed it."
