"""What the database server says of itself."""

from sqlalchemy import Connection, text

_DATA_DIRECTORY = text("select setting from pg_settings where name = 'data_directory'")


def find_data_directory(connection: Connection) -> str | None:
    """The folder of the server's files, on the server's machine; None for users who may not know."""
    return connection.execute(_DATA_DIRECTORY).scalar_one_or_none() or None
