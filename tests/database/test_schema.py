"""The schema is applied once, by whoever comes first, and nobody works on another one."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from sqlalchemy import text

from tests.servers import drop_database, fresh_database
from worker.database import build_engine
from worker.errors import EnvironmentProblem, WrongSchema
from worker.runtime import Runtime
from worker.schema import OLDEST_SERVED, check_schema, expected_revision, migrate


def test_a_migrated_database_is_accepted(runtime: Runtime) -> None:
    check_schema(runtime.engine)


def test_four_migrations_at_once_take_turns(postgres_url: str) -> None:
    url = fresh_database(postgres_url)
    engines = [build_engine(url, pool_size=2) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(migrate, engines)) == {expected_revision()}
    for engine in engines:
        engine.dispose()
    drop_database(url)


def test_an_empty_database_is_refused_with_what_to_do(postgres_url: str) -> None:
    engine = build_engine(fresh_database(postgres_url), pool_size=1)
    with pytest.raises(WrongSchema, match="run `claimd migrate` first"):
        check_schema(engine)
    engine.dispose()


def test_a_newer_schema_is_refused_also_by_migrate(runtime: Runtime) -> None:
    with runtime.transaction() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
        connection.execute(text("comment on table alembic_version is null"))
    for use in (check_schema, migrate):
        with pytest.raises(WrongSchema, match="9999, which this claimd does not know"):
            use(runtime.engine)


def test_a_newer_schema_is_accepted_while_it_serves_this_program(runtime: Runtime) -> None:
    for oldest, is_served in (("0001", True), (expected_revision(), True), ("9999", False)):
        with runtime.transaction() as connection:
            connection.execute(text("update alembic_version set version_num = '9999'"))
            connection.execute(text(f"comment on table alembic_version is '{oldest}'"))
        with nullcontext() if is_served else pytest.raises(WrongSchema):
            check_schema(runtime.engine)


def test_what_the_schema_serves_is_written_into_it(runtime: Runtime) -> None:
    assert expected_revision() >= OLDEST_SERVED
    with runtime.transaction() as connection:
        found = connection.execute(text("select obj_description('alembic_version'::regclass, 'pg_class')"))
        assert found.scalar_one() == OLDEST_SERVED


def test_an_unreachable_server_is_one_sentence() -> None:
    engine = build_engine("postgresql://nobody:secret@127.0.0.1:1/nothing", pool_size=1)
    with pytest.raises(EnvironmentProblem) as caught:
        check_schema(engine)
    assert "127.0.0.1:1 cannot be used" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
