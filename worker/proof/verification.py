"""The proof of a report: what is wrong with it, or nothing."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from worker.proof.documents import FORMAT, RESULTS, TABLE, FileFacts, Manifest
from worker.proof.files import DAMAGED, Files, open_report
from worker.proof.findings import Finding
from worker.proof.hashing import Hashed
from worker.proof.original import check_original
from worker.proof.signatures import PublicKey, check_signature
from worker.proof.tally import Tally, read_lines

# These may end before any row has a result.
_WITHOUT_RESULTS: Final = frozenset({"rejected", "failed"})


@dataclass
class Verification:
    """What was found out; `problems` is empty if the report is sound."""

    batch_id: str | None = None
    key_id: str | None = None
    rows_total: int | None = None
    results_total: int | None = None
    key_checked: bool = False
    input_checked: bool = False
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def part(self) -> Iterator[None]:
        """One part of the proof, which ends with its first problem; the other parts are looked at all the same."""
        try:
            yield
        except Finding as finding:
            self.problems += finding.sentences
        except DAMAGED as error:
            self.problems.append(f"The ZIP file is damaged: {error}.")


def verify_report(path: Path, original: Path | None = None, key: PublicKey | None = None) -> Verification:
    """Check a bundle, or a manifest with the results beside it.

    `original`: the upload, to be checked as well. `key`: whose signature it has to be; without one any will do.

    Raises:
        OSError: a file cannot be read.
    """
    found = Verification(key_checked=key is not None, input_checked=original is not None)
    with found.part(), open_report(path) as files:
        document = _document(files.manifest())
        manifest = _manifest(document)
        found.batch_id, found.key_id = manifest.batch_id, manifest.key_id
        found.rows_total, found.results_total = manifest.rows_total, manifest.results_total
        for check in _checks(files, document, manifest, original, key):
            with found.part():
                check()
    return found


def _checks(
    files: Files, document: dict[str, Any], manifest: Manifest, original: Path | None, key: PublicKey | None
) -> Iterator[Callable[[], None]]:
    yield lambda: check_signature(document, manifest, key)
    yield lambda: _check_results(files, manifest)
    if (table := manifest.results_csv) is not None:
        yield lambda: _check_table(files, manifest.batch_id, table)
    if original is not None:
        yield lambda: check_original(original, manifest)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Finding("This is neither a bundle nor a manifest of claimd.") from error
    if not isinstance(document, dict) or "claimd_version" not in document:
        raise Finding("This is neither a bundle nor a manifest of claimd.")
    if document.get("format") != FORMAT:
        raise Finding(f"The manifest has a format that this claimd does not know, or none; it knows {FORMAT}.")
    return document


def _manifest(document: dict[str, Any]) -> Manifest:
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Finding(f"The manifest is damaged: {where}: {first['msg']}.") from error


def _check_results(files: Files, manifest: Manifest) -> None:
    tally = Tally()
    with files.open(RESULTS, manifest.batch_id) as file:
        hashed = Hashed(file, manifest.results.bytes)
        for line in read_lines(hashed):
            tally.add(line)
    tally.close()
    problems = [*_wrong_facts(hashed, RESULTS, manifest.results), *_wrong_counts(manifest, tally)]
    if problems:
        raise Finding(*problems)


def _check_table(files: Files, batch_id: str, facts: FileFacts) -> None:
    with files.open(TABLE, batch_id) as file:
        hashed = Hashed(file, facts.bytes)
        for _ in hashed.blocks():
            pass
    if problems := list(_wrong_facts(hashed, TABLE, facts)):
        raise Finding(*problems)


def _wrong_facts(hashed: Hashed, name: str, facts: FileFacts) -> Iterator[str]:
    if hashed.sha256 != facts.sha256:
        yield f"{name} is not the file that was signed: its SHA-256 is {hashed.sha256}."


def _wrong_counts(manifest: Manifest, tally: Tally) -> Iterator[str]:
    counts: list[tuple[str, object, object]] = [
        ("results_total", manifest.results_total, tally.results),
        ("totals", manifest.totals, dict(tally.totals)),
        ("failed_rows", manifest.failed_rows, tally.failed_rows),
    ]
    if tally.results or manifest.state not in _WITHOUT_RESULTS:
        counts.append(("rows_total", manifest.rows_total, tally.rows))
    for name, stated, counted in counts:
        if stated != counted:
            yield f"The manifest states {name} {stated}, the results have {counted}."
