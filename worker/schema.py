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
# The oldest revision whose programs can still work on our schema. A version that takes away or changes what they use
# raises it, and thereby needs all of them to be stopped; so what is no longer used is taken away a version later.
OLDEST_SERVED = "0003"

# As a comment, which programs of revisions to come find in the same place.
_SERVE = text(f"comment on table alembic_version is '{OLDEST_SERVED}'")
_OLDEST_SERVED = text("select obj_description('alembic_version'::regclass, 'pg_class')")


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
    """Refuse to work on a schema that is not made for this program.

    A later version's is, while it still has all that this one uses: so programs can be replaced one after the other.

    Raises:
        EnvironmentProblem: the server cannot be used.
        WrongSchema: with what to do about it.
    """
    check_server(engine)
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found != expected_revision() and not _serves_us(connection, found):
            raise WrongSchema(_advice(found))
    if found is None:
        raise WrongSchema("The database is empty: run `claimd migrate` first.")


def _serves_us(connection: Connection, found: str) -> bool:
    """Whether the schema is of a later program that has left in it what this one uses."""
    oldest = connection.execute(_OLDEST_SERVED).scalar_one()
    return not _knows(found) and oldest is not None and oldest <= expected_revision()


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
    connection.execute(_SERVE)
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
