"""The stored input: sealed blocks, and who owns them."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, Row, text

_BEGIN = text("insert into upload (expires_at) values (clock_timestamp() + :lease) returning key")
_INSERT_OWNED = text("insert into upload (expires_at) values (null) returning key")
_ADD_BLOCK = text("insert into upload_block (upload_key, number, start, data) values (:upload, :number, :start, :data)")
_EXTEND = text(
    "update upload set expires_at = clock_timestamp() + :lease where key = :upload and expires_at is not null"
)
_OWN = text("update upload set expires_at = null where key = :upload and expires_at is not null")
_DROP = text(
    "with gone as (delete from upload where key = :upload and expires_at is not null returning key) "
    "delete from upload_block using gone where upload_key = gone.key"
)
_DROP_EXPIRED = text(
    "with gone as (delete from upload where key in "
    "(select key from upload where expires_at < clock_timestamp() "
    "order by expires_at limit 100 for update skip locked) returning key) "
    "delete from upload_block using gone where upload_key = gone.key"
)
_BLOCKS = text(
    "select number, start, data from upload_block where upload_key = :upload and number >= :first "
    "order by number limit :count"
)
_BLOCK_AT = text("select coalesce(max(number), 0) from upload_block where upload_key = :upload and start <= :offset")


def begin_upload(connection: Connection, lease: timedelta) -> int:
    """The key of a new upload that lapses unless it goes on within `lease`."""
    return int(connection.execute(_BEGIN, {"lease": lease}).scalar_one())


def insert_owned_upload(connection: Connection) -> int:
    """The key of a new upload that a batch of this transaction owns from the start."""
    return int(connection.execute(_INSERT_OWNED).scalar_one())


def add_block(connection: Connection, upload: int, number: int, start: int, data: bytes) -> None:
    """Store one sealed block; `start` is the offset of its first byte in the plain input."""
    connection.execute(_ADD_BLOCK, {"upload": upload, "number": number, "start": start, "data": data})


def extend_upload(connection: Connection, upload: int, lease: timedelta) -> bool:
    """Whether the upload still exists; it then lives on for `lease`."""
    return connection.execute(_EXTEND, {"upload": upload, "lease": lease}).rowcount == 1


def own_upload(connection: Connection, upload: int) -> bool:
    """Whether the upload still exists; it now belongs to a batch and never lapses."""
    return connection.execute(_OWN, {"upload": upload}).rowcount == 1


def drop_upload(connection: Connection, upload: int) -> None:
    """Forget an upload that no batch owns."""
    connection.execute(_DROP, {"upload": upload})


def drop_expired_uploads(connection: Connection) -> int:
    """Forget up to 100 uploads that went silent; returns the number of their blocks."""
    return connection.execute(_DROP_EXPIRED).rowcount


def find_block(connection: Connection, upload: int, offset: int) -> int:
    """The number of the block that holds the byte at `offset`."""
    return int(connection.execute(_BLOCK_AT, {"upload": upload, "offset": offset}).scalar_one())


def fetch_blocks(connection: Connection, upload: int, first: int, count: int) -> Sequence[Row[int, int, bytes]]:
    """Up to `count` sealed blocks from number `first` on, as (number, start, data)."""
    return connection.execute(_BLOCKS, {"upload": upload, "first": first, "count": count}).all()
