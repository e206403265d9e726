"""Which devices a batch is about whose list nobody has sent: those that its parent claimed, or that are held."""

from collections.abc import Iterator

from sqlalchemy import Connection, TextClause, text

_COUNT = "select count(*) from (select from claim where {of} = :key limit :limit) as held"
_COUNT_OF_BATCH = text(_COUNT.format(of="batch_key"))
_COUNT_OF_PROJECT = text(_COUNT.format(of="project_key"))

# By key, so that the inventory is read from left to right, in sub-queries that no plan can turn around. Thousands of
# lines come back as one value: a million rows would cost more to fetch than to find.
_LINES = """
    select string_agg(shown, E'\n' order by device_key) || E'\n'
    from (
        select device_key, shown, (row_number() over (order by device_key) - 1) / 5000 as number
        from ({chosen} order by device_key limit :limit) as chosen
        cross join lateral (
            select coalesce(shown_id, device_id) as shown from device where key = chosen.device_key offset 0) as device
    ) as numbered
    group by number order by number"""
_CLAIMED = text(
    _LINES.format(
        chosen="select device_key from claim where batch_key = :key "
        "union select device_key from claim_history where batch_key = :key"
    )
)
_OF_BATCH = text(_LINES.format(chosen="select device_key from claim where batch_key = :key"))
_OF_PROJECT = text(_LINES.format(chosen="select device_key from claim where project_key = :key"))


def count_of_batch(connection: Connection, batch: int, limit: int) -> int:
    """How many devices are held by claims of the batch; counts no further than `limit`."""
    return int(connection.execute(_COUNT_OF_BATCH, {"key": batch, "limit": limit}).scalar_one())


def count_of_project(connection: Connection, project: int, limit: int) -> int:
    """How many devices the project holds; counts no further than `limit`."""
    return int(connection.execute(_COUNT_OF_PROJECT, {"key": project, "limit": limit}).scalar_one())


def read_claimed(connection: Connection, batch: int) -> Iterator[bytes]:
    """The IDs of all devices that the batch has claimed, whoever holds them now: lines, thousands at a time."""
    return _lines(connection, _CLAIMED, batch)


def read_of_batch(connection: Connection, batch: int) -> Iterator[bytes]:
    """The same of the devices that are held by claims of the batch."""
    return _lines(connection, _OF_BATCH, batch)


def read_of_project(connection: Connection, project: int, limit: int) -> Iterator[bytes]:
    """The same of up to `limit` devices that the project holds."""
    return _lines(connection, _OF_PROJECT, project, limit)


def _lines(connection: Connection, statement: TextClause, key: int, limit: int | None = None) -> Iterator[bytes]:
    for lines in connection.execute(statement, {"key": key, "limit": limit}).scalars():
        yield lines.encode("ascii")
