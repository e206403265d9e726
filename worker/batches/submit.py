"""Accept a batch: its input, its options and its first work item in one commit; then ring."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection

from worker.batches.acceptance import log_accepted
from worker.batches.admission import check_admission
from worker.batches.dates import check_activation_date
from worker.batches.uploads import Upload
from worker.batches.views import batch_document
from worker.cursors import decode_cursor, encode_cursor
from worker.errors import Invalid, NotFound
from worker.ids import new_id
from worker.principal import Principal
from worker.queries import batches
from worker.queries.holdings import find_project
from worker.runtime import Runtime
from worker.states import BatchState, Mode, Operation, Queue, WorkKind

InTransaction = Callable[[Connection, dict[str, Any]], None]


@dataclass(frozen=True)
class SubmitOptions:
    """What the sender asks for."""

    source: Literal["csv", "json", "devices"]
    operation: Operation = Operation.CLAIM
    mode: Mode = Mode.PARTIAL
    preview: bool = False
    reference: str | None = None
    parent: str | None = None
    max_claims: int | None = None
    activate_on: date | None = None
    file_name: str | None = None


@dataclass(frozen=True)
class Target:
    """Where a batch belongs, by keys."""

    project: int
    parent: int | None


@dataclass(frozen=True)
class StoredInput:
    """Where the input of a batch is, and the queue for so much."""

    upload_key: int | None
    size: int
    sha256: str
    queue: Queue


def check_submission(runtime: Runtime, principal: Principal, project_id: str, options: SubmitOptions) -> None:
    """Refuse what would be refused anyway, before the body is read.

    Raises:
        NotFound: the project is not visible to the principal.
        Forbidden: it is, but may not be changed.
        Invalid: an option cannot be used.
        Draining, TooManyWaiting: no batch is taken at the moment.
    """
    with runtime.transaction() as connection:
        open_target(connection, principal, project_id, options)
        check_admission(connection, runtime.settings, principal.organization_key, Queue.INTERACTIVE)


def submit(
    runtime: Runtime,
    principal: Principal,
    project_id: str,
    options: SubmitOptions,
    upload: Upload,
    in_transaction: InTransaction | None = None,
) -> dict[str, Any]:
    """Commit the batch, then ring for it; returns its document.

    `in_transaction` is called with the document just before the commit.

    Raises:
        Refused: as `check_submission`, or the upload lapsed; nothing was kept.
    """
    queue = Queue.INTERACTIVE if upload.lines <= runtime.settings.chunk_size else Queue.BULK
    with runtime.transaction() as connection:
        target = open_target(connection, principal, project_id, options)
        check_admission(connection, runtime.settings, principal.organization_key, queue)
        stored = StoredInput(upload.complete(connection), upload.size, upload.sha256, queue)
        batch_id, _ = insert(runtime, connection, principal, options, target, stored)
        document = document_of(connection, principal, batch_id)
        if in_transaction is not None:
            in_transaction(connection, document)
    log_accepted(principal, document)
    runtime.doorbell.ring(WorkKind.RESOLVE, batch_id, queue)
    return document


def get_batch(runtime: Runtime, principal: Principal, batch_id: str) -> dict[str, Any]:
    """The document of one batch.

    Raises:
        NotFound: there is none that the principal may see.
    """
    with runtime.reading() as connection:
        return document_of(connection, principal, batch_id)


def list_batches(
    runtime: Runtime,
    principal: Principal,
    project_id: str | None,
    state: BatchState | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """Batches, newest first: `items` and `next_cursor`.

    Raises:
        NotFound: the project is not visible to the principal.
        Invalid: the cursor is none.
    """
    before = int(decode_cursor(cursor, (int,))[0]) if cursor is not None else None
    with runtime.transaction() as connection:
        projects = _projects(connection, principal, project_id)
        rows = batches.list_batches(connection, principal.organization_key, projects, state, before, limit + 1)
    more = len(rows) > limit
    return {
        "items": [batch_document(row) for row in rows[:limit]],
        "next_cursor": encode_cursor(rows[limit - 1]["key"]) if more else None,
    }


def _projects(connection: Connection, principal: Principal, project_id: str | None) -> list[int] | None:
    if project_id is not None:
        return [_visible_project(connection, principal, project_id)]
    visible = principal.visible_projects
    return None if visible is None else sorted(visible)


def _visible_project(connection: Connection, principal: Principal, project_id: str) -> int:
    project = find_project(connection, principal.organization_key, project_id)
    if project is None or not principal.sees_project(project):
        raise NotFound("There is no such project.")
    return project


def open_target(connection: Connection, principal: Principal, project_id: str, options: SubmitOptions) -> Target:
    """Where the batch belongs.

    Raises:
        NotFound, Forbidden, Invalid: as `check_submission`.
    """
    project = _visible_project(connection, principal, project_id)
    principal.require_change(project)
    if options.activate_on is not None:
        parameter = "activate_on" if options.operation is Operation.CLAIM else "activate"
        check_activation_date(connection, principal.organization_key, options.activate_on, parameter)
    return Target(project, _parent(connection, principal, options))


def _parent(connection: Connection, principal: Principal, options: SubmitOptions) -> int | None:
    if options.parent is None:
        return None
    found = batches.find_batch(connection, principal.organization_key, options.parent)
    if found is None or not principal.sees_project(found[1]):
        raise Invalid("The parent is not a batch of yours.", parameter="parent")
    return found[0]


def insert(
    runtime: Runtime,
    connection: Connection,
    principal: Principal,
    options: SubmitOptions,
    target: Target,
    stored: StoredInput,
) -> tuple[str, int]:
    """The ID and the key of a new batch with its first work item."""
    batch_id = new_id("bat")
    values = {
        "public_id": batch_id,
        "organization_key": principal.organization_key,
        "project_key": target.project,
        "operation": options.operation,
        "mode": options.mode,
        "preview": options.preview,
        "max_claims": options.max_claims,
        "activate_on": options.activate_on,
        "reference": options.reference,
        "file_name": options.file_name,
        "parent_key": target.parent,
        "source": options.source,
        "upload_key": stored.upload_key,
        "input_bytes": stored.size,
        "input_sha256": bytes.fromhex(stored.sha256),
        "queue": stored.queue,
        "created_by": principal.name,
    }
    key, _ = batches.insert_batch(connection, values, runtime.settings.ring_again_after)
    return batch_id, key


def document_of(connection: Connection, principal: Principal, batch_id: str) -> dict[str, Any]:
    """The document of a batch that the principal may see.

    Raises:
        NotFound: there is none.
    """
    row = batches.view_batch(connection, principal.organization_key, batch_id)
    if row is None or not principal.sees_project(row["project_key"]):
        raise NotFound("There is no such batch.")
    return batch_document(row)
