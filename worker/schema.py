"""The database's schema: applied by `claimd migrate`, and checked by every process before it works."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from worker.database import check_server
from worker.errors import WrongSchema

# Two `claimd migrate` at once take turns.
MIGRATION_LOCK = 4_715_533_001


def migrate(engine: Engine) -> str:
    """Bring the schema to this program's revision; returns that revision; two at once take turns.

    Raises:
        EnvironmentProblem: the server cannot be used.
        WrongSchema: the schema is newer than this program.
    """
    check_server(engine)
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.commit()
        try:
            _upgrade(connection)
        finally:
            connection.rollback()
            connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
            connection.commit()
    return expected_revision()


def check_schema(engine: Engine) -> None:
    """Refuse to work on a schema that is not this program's own.

    Raises:
        EnvironmentProblem: the server cannot be used.
        WrongSchema: with what to do about it.
    """
    check_server(engine)
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        raise WrongSchema("The database is empty: run `claimd migrate` first.")
    if found != expected_revision():
        raise WrongSchema(_advice(found))


def expected_revision() -> str:
    """The revision that this program was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101  # the package always ships one
    return head


def _upgrade(connection: Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and not _knows(found):
        raise WrongSchema(_advice(found))
    connection.rollback()
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _knows(revision: str) -> bool:
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _advice(found: str) -> str:
    if _knows(found):
        return f"The database's schema is {found}, older than {expected_revision()}: run `claimd migrate`."
    return f"The database's schema is {found}, which this claimd does not know: install the claimd that made it."
