"""Which devices a batch is about whose list nobody has sent: those that its parent claimed, or that are held."""

from collections.abc import Iterator
from itertools import islice

from psycopg import sql
from sqlalchemy import Connection, text

from worker.states import Outcome

_COUNT = "select count(*) from (select from claim where {of} = :key limit :limit) as held"
_COUNT_OF_BATCH = text(_COUNT.format(of="batch_key"))
_COUNT_OF_PROJECT = text(_COUNT.format(of="project_key"))

# In sub-queries that cannot be merged, so that no plan sorts or reads a whole inventory for a small list.
_COPY = """
    copy (
        select device.shown from ({chosen} offset 0) as chosen
        cross join lateral (
            select coalesce(shown_id, device_id) as shown from device where key = chosen.device_key offset 0) as device
        order by {order}) to stdout"""
_CLAIMED = sql.SQL(
    _COPY.format(
        chosen=f"select * from result where batch_key = {{batch}} and outcome = {Outcome.CLAIMED.number}",
        order="chosen.row, chosen.position",
    )
)
_OF_BATCH = sql.SQL(
    _COPY.format(chosen="select device_key from claim where batch_key = {batch}", order="chosen.device_key")
)
_OF_PROJECT = sql.SQL(
    _COPY.format(
        chosen="select device_key from claim where project_key = {project} order by device_key limit {limit}",
        order="chosen.device_key",
    )
)
_LINES_AT_ONCE = 10_000


def count_of_batch(connection: Connection, batch: int, limit: int) -> int:
    """How many devices are held by claims of the batch; counts no further than `limit`."""
    return int(connection.execute(_COUNT_OF_BATCH, {"key": batch, "limit": limit}).scalar_one())


def count_of_project(connection: Connection, project: int, limit: int) -> int:
    """How many devices the project holds; counts no further than `limit`."""
    return int(connection.execute(_COUNT_OF_PROJECT, {"key": project, "limit": limit}).scalar_one())


def read_claimed(connection: Connection, batch: int) -> Iterator[bytes]:
    """The IDs of all devices that the batch has claimed, held or not, in the order of its results; one in a line."""
    return _lines(connection, _CLAIMED.format(batch=sql.Literal(batch)))


def read_of_batch(connection: Connection, batch: int) -> Iterator[bytes]:
    """The IDs of the devices that are held by claims of the batch, one in a line."""
    return _lines(connection, _OF_BATCH.format(batch=sql.Literal(batch)))


def read_of_project(connection: Connection, project: int, limit: int) -> Iterator[bytes]:
    """The IDs of up to `limit` devices that the project holds, one in a line."""
    return _lines(connection, _OF_PROJECT.format(project=sql.Literal(project), limit=sql.Literal(limit)))


def _lines(connection: Connection, statement: sql.Composed) -> Iterator[bytes]:
    with connection.connection.cursor().copy(statement) as copy:
        while lines := b"".join(islice(copy, _LINES_AT_ONCE)):
            yield lines
