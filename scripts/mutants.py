"""Puts known bugs into a copy of the code, one at a time, and makes sure that the tests that stand against it fail.

`make mutants`, or `python scripts/mutants.py NAME…` for some of them. Prints which tests failed for which bug.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("worker", "api_stub", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Change:
    """A piece of source, which occurs once, and what stands in its place."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Mutant:
    """A bug, and the tests that have to find it."""

    name: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]


LEASES, STEPS, SUBMIT = "worker/queries/leases.py", "worker/batches/steps.py", "worker/batches/submit.py"
RACES, LEASE_TESTS = "tests/crash/races", "tests/database/test_leases.py"
RINGS, POISON = "tests/database/test_rings.py", "tests/crash/test_poison.py"

_GUARDED_END = """
    update work_item set done_at = clock_timestamp(), end_state = 'done', lease_expires_at = null,
        backend_pid = null, backend_start = null
    where key = :key and fence = :fence and done_at is null"""
_RING_FOR_BATCH = "    runtime.doorbell.ring(WorkKind.RESOLVE, batch_id, queue)\n    return document\n"
_ACCEPTED = "        document = document_of(connection, principal, batch_id)\n        if in_transaction"
_RING_FOR_CHUNKS = "    return [Ring(WorkKind.APPLY, Queue.BULK, len(rows))]"
_HANDED_OUT = "        dialect = found.dialect.to_json()\n"
_COUNTED = """attempts = attempts + 1 - (case when backend_start < pg_postmaster_start_time() and attempts > 0
                then 1 else 0 end)"""

MUTANTS = (
    Mutant(
        "apply without checking the fence",
        (
            Change(
                LEASES,
                '"fence": item.fence}).rowcount == 1\n\n\ndef poison',
                '"fence": item.fence}) is not None\n\n\ndef poison',
            ),
        ),
        (RACES, LEASE_TESTS),
    ),
    Mutant(
        "drop the guard on the chunk's done mark",
        (Change(LEASES, _GUARDED_END, _GUARDED_END.replace(" and fence = :fence and done_at is null", "")),),
        (RACES, LEASE_TESTS),
    ),
    Mutant(
        "let a chunk that is done be done again",
        (Change(LEASES, _GUARDED_END, _GUARDED_END.replace(" and done_at is null", "")),),
        (RACES,),
    ),
    Mutant(
        "ring for a batch before it is committed",
        (
            Change(SUBMIT, _RING_FOR_BATCH, "    return document\n"),
            Change(SUBMIT, _ACCEPTED, "        runtime.doorbell.ring(WorkKind.RESOLVE, batch_id, queue)\n" + _ACCEPTED),
        ),
        (RINGS,),
    ),
    Mutant(
        "ring for the chunks before they are committed",
        (
            Change(STEPS, _RING_FOR_CHUNKS, "    return []"),
            Change(
                STEPS,
                _HANDED_OUT,
                "        runtime.doorbell.ring(WorkKind.APPLY, batch.public_id, Queue.BULK, len(rows))\n" + _HANDED_OUT,
            ),
        ),
        (RINGS,),
    ),
    Mutant(
        "look for the last chunk before it is committed",
        (
            Change(
                STEPS,
                "        _end(connection, item)\n    with connection.begin():\n        last =",
                "        _end(connection, item)\n        last =",
            ),
        ),
        (RACES,),
    ),
    Mutant(
        "count an attempt only after the work",
        (
            Change(LEASES, _COUNTED, "attempts = attempts"),
            Change(LEASES, "set attempts = attempts - :refund", "set attempts = attempts + 1 - :refund"),
            Change(LEASES, _GUARDED_END, _GUARDED_END.replace("set ", "set attempts = attempts + 1, ", 1)),
        ),
        (LEASE_TESTS, POISON),
    ),
)


def main(names: list[str]) -> int:
    """The number of bugs that no test found."""
    missed = [each.name for each in MUTANTS if (not names or each.name in names) and not _is_found(each)]
    for name in missed:
        print(f"NOT FOUND: {name}")
    return len(missed)


def _is_found(mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory(prefix="claimd-mutant-") as folder:
        copy = Path(folder)
        _copy(copy)
        for change in mutant.changes:
            _apply(copy / change.file, change)
        failed = _failed_tests(copy, mutant.tests)
    print(f"{mutant.name}:", *(sorted(failed) or ["nothing failed"]), sep="\n  ", flush=True)
    return bool(failed)


def _copy(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def _apply(path: Path, change: Change) -> None:
    source = path.read_text(encoding="utf-8")
    if source.count(change.before) != 1:
        sys.exit(f"{change.file} has changed: renew the bug that replaces\n{change.before}")
    path.write_text(source.replace(change.before, change.after), encoding="utf-8")


def _failed_tests(folder: Path, tests: tuple[str, ...]) -> set[str]:
    """Names of the tests that failed, without their parameters; errors of the run itself are no find."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "-rf", *tests],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode not in {0, 1}:
        sys.exit(run.stdout + run.stderr)
    return set(re.findall(r"^FAILED \S+::(\w+)", run.stdout, re.MULTILINE))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
