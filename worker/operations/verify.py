"""Every invariant of the database, looked at from outside of the code that is meant to keep it."""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from worker.inputs import read_input
from worker.intake import InputRejected, Limits, Source, detect, read_groups, references
from worker.queries import invariants
from worker.runtime import Runtime

SEALED = "every stored input is sealed with the secret key"
NO_CODE = "no claim code stands in clear"
# Shorter ones turn up in other words by chance.
TELLING_CODE = 6


@dataclass(frozen=True)
class Violation:
    """Something that must not be."""

    invariant: str
    detail: str


def verify(runtime: Runtime) -> list[Violation]:
    """All that is broken, at most 20 examples for each invariant. Reads everything, changes nothing."""
    return [*_broken_invariants(runtime), *_broken_secrets(runtime)]


def _broken_invariants(runtime: Runtime) -> Iterator[Violation]:
    for invariant in invariants.INVARIANTS:
        with runtime.transaction() as connection:
            for offender in invariants.find_broken(connection, invariant):
                yield Violation(invariant, offender)


def _broken_secrets(runtime: Runtime) -> Iterator[Violation]:
    with runtime.transaction() as connection:
        inputs = invariants.fetch_inputs(connection)
    for found in inputs:
        try:
            codes = set(_codes(runtime, found.upload_key, found.source))
        except InvalidTag:
            yield Violation(SEALED, f"batch {found.batch_id}")
            continue
        with runtime.transaction() as connection:
            for place in invariants.find_texts_with(connection, sorted(codes)):
                yield Violation(NO_CODE, f"a code of batch {found.batch_id} stands in {place}")


def _codes(runtime: Runtime, upload_key: int, stored_source: str) -> Iterator[str]:
    """The claim codes of one input; reads it to its end also where it cannot be understood."""
    limits = Limits(rows=runtime.settings.max_rows)
    source: Source = "json" if stored_source == "json" else "csv"
    try:
        dialect = detect(lambda: read_input(runtime, upload_key), source, limits)
        for group in read_groups(read_input(runtime, upload_key), dialect, limits):
            codes = references(dialect, group).codes.values()
            yield from (code for code in codes if len(code) >= TELLING_CODE)
    except InputRejected:
        for _ in read_input(runtime, upload_key):
            pass
