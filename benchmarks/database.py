"""What the benchmark does to the database between its runs, and what it asks it."""

from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex

import psycopg
from psycopg import sql
from psycopg.rows import class_row

_WRITTEN = (
    "claim, claim_history, result, batch, work_item, checkpoint, kit_row, resolution, chunk, upload, upload_block, "
    "activation, subscription, pruning"
)
# Nobody may end them but claimd itself, and between two runs nothing of it is at work.
_EMPTY = sql.SQL(f"truncate {_WRITTEN}")
_VACUUM = sql.SQL(f"vacuum (analyze) {_WRITTEN}")
_PROGRESS = """
    select count(*) as completed, coalesce(extract(epoch from max(finished_at)), 0)::float8 as last_end
    from batch where state = 'completed'"""

_OPEN = """
    select count(*) from work_item w join batch b on b.key = w.batch_key join project p on p.key = b.project_key
    where w.done_at is null and p.public_id = %s"""


@dataclass(frozen=True)
class Progress:
    """Batches that have completed, and the end of the last one in seconds since 1970."""

    completed: int
    last_end: float


def start_level(database_url: str) -> None:
    """Forget all claims and batches, and leave nothing for the next run to clean up or to write out."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_EMPTY)
        connection.execute(_VACUUM)
        checkpoint(connection)


def fetch_progress(database_url: str) -> Progress:
    """How many batches have come to their good end, and when the last one did."""
    with psycopg.connect(database_url, row_factory=class_row(Progress)) as connection:
        return connection.execute(_PROGRESS).fetchone() or Progress(0, 0.0)


def count_claims(database_url: str) -> int:
    """How many devices are held."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select count(*) from claim").fetchone()
    return int(row[0]) if row else 0


def count_open(database_url: str, project_id: str) -> int:
    """How many steps of a project's batches wait or run."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(_OPEN, [project_id]).fetchone()
    return int(row[0]) if row else 0


def checkpoint(connection: psycopg.Connection) -> None:
    """A checkpoint by the owner of a database, who may not ask for one: this way of copying needs two of them."""
    name = sql.Identifier(f"checkpoint_{token_hex(6)}")
    connection.execute(sql.SQL("create database {} template template0 strategy file_copy").format(name))
    with suppress(psycopg.errors.ObjectInUse):
        connection.execute(sql.SQL("drop database {}").format(name))
