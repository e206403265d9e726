"""What operators watch: everything here reads partial indexes of what is unfinished, never whole tables."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from worker.states import RUNNING, BatchState

WATCHED = (*sorted(RUNNING), BatchState.PREVIEWED, BatchState.FAILED)

_SERVER = text("select current_setting('server_version') as version, pg_database_size(current_database()) as bytes")
_RUNNING = text(
    "select state, count(*) from batch where state in ('received', 'resolving', 'applying', 'reverting') group by state"
)
_PREVIEWED = text("select count(*) from batch where state = 'previewed'")
_FAILED = text("select count(*) from batch where state = 'failed'")
_OLDEST = text(
    "select coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 from batch "
    "where state = 'received'"
)
_WORK = text(
    "select queue, count(*) filter (where lease_expires_at is null) as waiting, "
    "count(*) filter (where lease_expires_at >= clock_timestamp()) as leased, "
    "count(*) filter (where lease_expires_at < clock_timestamp()) as expired "
    "from work_item where done_at is null group by queue"
)
# By endpoint, because that is what the indexes of deliveries begin with.
_COUNT_DELIVERIES = """(select count(*) from (
    select from endpoint e cross join lateral (
        select from delivery where endpoint_key = e.key and state = '{state}' limit :most) one limit :most) found)"""
_NOTIFICATIONS = text(f"""
    select {_COUNT_DELIVERIES.format(state="waiting")} as waiting, {_COUNT_DELIVERIES.format(state="dead")} as dead,
        (select count(*) from endpoint where disabled_at is not null and deleted_at is null) as disabled""")


@dataclass(frozen=True)
class Server:
    """The database server's version, and the size of the database in bytes."""

    version: str
    bytes: int


@dataclass(frozen=True)
class Notifications:
    """Deliveries that wait for their receiver, those that were given up, and endpoints that are disabled."""

    waiting: int
    dead: int
    disabled: int


@dataclass(frozen=True)
class Work:
    """Unfinished work items of one queue: nobody's, somebody's, and those whose lease is over."""

    waiting: int
    leased: int
    expired: int


def describe_server(connection: Connection) -> Server:
    """What kind of server this is."""
    return Server(*connection.execute(_SERVER).one())


def count_batches(connection: Connection) -> dict[BatchState, int]:
    """How many batches are in each state that is worth watching."""
    found = {BatchState(state): count for state, count in connection.execute(_RUNNING)}
    found[BatchState.PREVIEWED] = connection.execute(_PREVIEWED).scalar_one()
    found[BatchState.FAILED] = connection.execute(_FAILED).scalar_one()
    return {state: found.get(state, 0) for state in WATCHED}


def oldest_waiting(connection: Connection) -> float:
    """For how many seconds the oldest batch that nobody has begun has waited; 0 without one."""
    return float(connection.execute(_OLDEST).scalar_one())


def count_work(connection: Connection) -> dict[str, Work]:
    """The unfinished work items by queue; a queue without any is absent."""
    return {row.queue: Work(row.waiting, row.leased, row.expired) for row in connection.execute(_WORK)}


def count_notifications(connection: Connection, most: int) -> Notifications:
    """How deliveries and endpoints stand; deliveries are counted up to `most`."""
    return Notifications(*connection.execute(_NOTIFICATIONS, {"most": most}).one())
