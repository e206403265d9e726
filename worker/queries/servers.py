"""What the database server says of itself."""

from sqlalchemy import Connection, text

_BACKEND = text("select pg_backend_pid()")


def find_backend(connection: Connection) -> int:
    """The id of the process that serves this connection, on the server's machine."""
    return int(connection.execute(_BACKEND).scalar_one())
