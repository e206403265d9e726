"""Which batches were accepted and are not in the database, as after the restore of an older one."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from worker.batches.acceptance import ACCEPTED
from worker.errors import EnvironmentProblem
from worker.queries.batches import find_known
from worker.runtime import Runtime

_AT_ONCE: Final = 10_000
_OF_A_BATCH: Final = {"id", "operation", "input_sha256"}


@dataclass(frozen=True)
class Accepted:
    """A batch as a log or an export names it."""

    batch_id: str
    created_at: str | None
    operation: str | None
    organization_id: str | None
    project_id: str | None
    parent: str | None
    reference: str | None
    file_name: str | None
    input_sha256: str | None


def read_accepted(name: str, lines: Iterable[bytes]) -> Iterator[Accepted]:
    """The batches that an API's log in JSON, or an export of `GET /v1/claim-batches`, names; other lines are passed by.

    Whatever stands before the first brace of a line, such as a container's name, does not matter.

    Raises:
        EnvironmentProblem: no line of it is JSON, so nothing can be said.
    """
    documents = (document for line in lines if (document := _parse(line)) is not None)
    if (first := next(documents, None)) is None:
        raise EnvironmentProblem(f"{name} has no line in JSON: is it a log of the API with CLAIMD_LOG_FORMAT=json?")
    for document in chain([first], documents):
        yield from _named(document)


def find_lost(runtime: Runtime, accepted: Iterable[Accepted]) -> list[Accepted]:
    """Those of them that the database does not have, each once, the oldest first."""
    lost = {each.batch_id: each for some in _grouped(accepted) for each in _unknown(runtime, some)}
    return sorted(lost.values(), key=lambda each: (each.created_at or "", each.batch_id))


def _grouped(accepted: Iterable[Accepted]) -> Iterator[list[Accepted]]:
    rest = iter(accepted)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _named(document: dict[str, Any]) -> Iterator[Accepted]:
    if document.get("event") == ACCEPTED:
        yield _accepted({**document, "id": document["batch_id"]})
    items = document.get("items", [document])
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and set(item) >= _OF_A_BATCH:
            yield _accepted(item)


def _unknown(runtime: Runtime, some: Sequence[Accepted]) -> list[Accepted]:
    with runtime.transaction() as connection:
        known = find_known(connection, [each.batch_id for each in some])
    return [each for each in some if each.batch_id not in known]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(line[max(0, line.find(b"{")) :])
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _accepted(found: dict[str, Any]) -> Accepted:
    wanted = Accepted.__dataclass_fields__
    return Accepted(**{"batch_id": found["id"]} | {name: found.get(name) for name in wanted if name != "batch_id"})
