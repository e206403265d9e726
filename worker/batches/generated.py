"""The input of a batch whose list nobody has sent: written by its resolve step, then read like any other."""

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection

from worker.batches.uploads import Upload, begin_upload
from worker.database import one_snapshot
from worker.errors import LostLease
from worker.queries import batches, leases, selections
from worker.queries.batches import Batch
from worker.queries.leases import WorkItem
from worker.runtime import Runtime
from worker.states import Operation

HEADER = b"device_id\n"


def with_input(runtime: Runtime, connection: Connection, item: WorkItem) -> WorkItem:
    """The item of a batch that has its input; a list that was not finished lapses like an upload.

    Raises:
        LostLease: the lease was lost meanwhile; nothing happened.
    """
    if item.batch.upload_key is not None:
        return item
    upload = begin_upload(runtime)
    upload.add(HEADER)
    with one_snapshot(connection):
        for lines in _devices(runtime, connection, item.batch):
            upload.add(lines)
    return _store(connection, item, upload)


def _store(connection: Connection, item: WorkItem, upload: Upload) -> WorkItem:
    with connection.begin():
        key = upload.complete(connection)
        batches.set_input(connection, item.batch.key, key, upload.size, bytes.fromhex(upload.sha256))
        if not leases.lock_item(connection, item):
            raise LostLease
    return replace(item, batch=replace(item.batch, upload_key=key, input_bytes=upload.size))


def _devices(runtime: Runtime, connection: Connection, batch: Batch) -> Iterator[bytes]:
    if batch.parent_key is None:
        return selections.read_of_project(connection, batch.project_key, runtime.settings.max_results + 1)
    if batch.operation is Operation.REVERT:
        return selections.read_claimed(connection, batch.parent_key)
    return selections.read_of_batch(connection, batch.parent_key)
