"""Organizations, projects and tokens on a real database."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from worker.accounts import (
    authenticate,
    bootstrap_demo,
    create_organization,
    create_project,
    create_token,
    list_organizations,
    list_projects,
    list_tokens,
    revoke_token,
    set_time_zone,
)
from worker.errors import AlreadyExists, Invalid, NotFound
from worker.runtime import Runtime
from worker.states import Role


def _organization(runtime: Runtime) -> str:
    return str(create_organization(runtime, "Acme")["id"])


def test_a_token_names_its_bearer(runtime: Runtime) -> None:
    organization = _organization(runtime)
    project = create_project(runtime, organization, "Warehouse")
    created = create_token(runtime, organization, "scanner", [Role.VIEWER, Role.PROJECT_ADMIN], [project["id"]])
    bearer = authenticate(runtime, created.secret)
    assert bearer is not None
    assert (bearer.token_id, bearer.name, bearer.organization_id) == (
        created.token_id,
        "scanner",
        organization,
    )
    assert bearer.roles == {Role.VIEWER, Role.PROJECT_ADMIN}
    assert len(bearer.project_keys) == 1


def test_a_secret_has_256_random_bits_and_is_stored_nowhere(runtime: Runtime) -> None:
    created = create_token(runtime, _organization(runtime), "a", [Role.VIEWER])
    assert re.fullmatch(r"claimd_[A-Za-z0-9_-]{43}", created.secret)
    assert created.secret not in repr(created)
    with runtime.transaction() as connection:
        stored = connection.execute(text("select token::text from token")).scalar_one()
    assert created.secret not in stored
    assert created.secret.encode().hex() not in stored


@pytest.mark.parametrize("secret", ["", "claimd_", "claimd_" + "a" * 43, "ü", "\udcff", "\x00"])
def test_an_unknown_token_is_nobody(runtime: Runtime, secret: str) -> None:
    create_token(runtime, _organization(runtime), "a", [Role.VIEWER])
    assert authenticate(runtime, secret) is None


def test_a_revoked_token_is_nobody_and_keeps_the_time_of_its_first_revocation(runtime: Runtime) -> None:
    created = create_token(runtime, _organization(runtime), "a", [Role.VIEWER])
    first = revoke_token(runtime, created.token_id)
    assert authenticate(runtime, created.secret) is None
    assert revoke_token(runtime, created.token_id) == first


def test_an_expired_token_is_nobody(runtime: Runtime) -> None:
    created = create_token(runtime, _organization(runtime), "a", [Role.VIEWER], expires_in=timedelta(hours=1))
    assert authenticate(runtime, created.secret) is not None
    with runtime.transaction() as connection:
        connection.execute(text("update token set expires_at = clock_timestamp()"))
    assert authenticate(runtime, created.secret) is None


def test_a_token_is_found_by_an_index(runtime: Runtime) -> None:
    organization = _organization(runtime)
    for number in range(20):
        create_token(runtime, organization, str(number), [Role.VIEWER])
    with runtime.transaction() as connection:
        connection.execute(text("set local enable_seqscan = off"))
        plan = "\n".join(connection.execute(text("explain select * from token where secret_hash = '\\x00'")).scalars())
    assert "token_secret_hash_key" in plan


@pytest.mark.parametrize("roles", [[], ["root"], ["viewer", "root"]])
def test_unknown_roles_are_refused(runtime: Runtime, roles: list[str]) -> None:
    with pytest.raises(Invalid):
        create_token(runtime, _organization(runtime), "a", roles)


def test_a_project_admin_without_projects_is_refused(runtime: Runtime) -> None:
    with pytest.raises(Invalid):
        create_token(runtime, _organization(runtime), "a", [Role.PROJECT_ADMIN])


def test_a_token_cannot_name_another_organizations_project(runtime: Runtime) -> None:
    foreign = create_project(runtime, _organization(runtime), "theirs")
    with pytest.raises(NotFound):
        create_token(runtime, _organization(runtime), "a", [Role.PROJECT_ADMIN], [foreign["id"]])
    assert list_tokens(runtime) == []


@pytest.mark.parametrize("name", ["", "  ", "a" * 201, "a\nb", "claimd up"])
def test_a_token_has_a_usable_name(runtime: Runtime, name: str) -> None:
    with pytest.raises(Invalid):
        create_token(runtime, _organization(runtime), name, [Role.VIEWER])


def test_a_token_that_has_expired_already_is_refused(runtime: Runtime) -> None:
    with pytest.raises(Invalid):
        create_token(runtime, _organization(runtime), "a", [Role.VIEWER], expires_in=timedelta(0))


def test_names_of_projects_are_taken_once_in_an_organization(runtime: Runtime) -> None:
    first, second = _organization(runtime), _organization(runtime)
    create_project(runtime, first, "Warehouse")
    create_project(runtime, second, "Warehouse")
    with pytest.raises(AlreadyExists):
        create_project(runtime, first, " Warehouse ")


def test_a_chosen_identifier_is_taken_once(runtime: Runtime) -> None:
    assert create_organization(runtime, "Acme", "org_acme")["id"] == "org_acme"
    with pytest.raises(AlreadyExists):
        create_organization(runtime, "Acme", "org_acme")
    with pytest.raises(Invalid):
        create_organization(runtime, "Acme", "org/acme")


def test_lists_are_kept_apart_by_organization(runtime: Runtime) -> None:
    first, second = _organization(runtime), _organization(runtime)
    project = create_project(runtime, first, "Warehouse")
    create_token(runtime, first, "a", [Role.PROJECT_ADMIN], [project["id"]])
    assert [row["id"] for row in list_organizations(runtime)] == [first, second]
    assert [row["id"] for row in list_projects(runtime, first)] == [project["id"]]
    assert list_projects(runtime, second) == list_tokens(runtime, second) == []
    assert [row["project_ids"] for row in list_tokens(runtime, first)] == [[project["id"]]]
    assert len(list_projects(runtime)) == len(list_tokens(runtime)) == 1


def test_what_does_not_exist_is_not_found(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        create_project(runtime, "org_none", "Warehouse")
    with pytest.raises(NotFound):
        list_tokens(runtime, "org_none")
    with pytest.raises(NotFound):
        revoke_token(runtime, "tok_none")


def test_bootstrap_makes_demo_accounts_once_and_a_token_each_time(runtime: Runtime) -> None:
    first, second = bootstrap_demo(runtime), bootstrap_demo(runtime)
    assert first.organization_id == second.organization_id
    assert first.project_id == second.project_id
    assert authenticate(runtime, first.token) is None
    bearer = authenticate(runtime, second.token)
    assert bearer is not None
    assert bearer.roles == {Role.ORGANIZATION_ADMIN, Role.MANUFACTURER}
    assert [row["name"] for row in list_organizations(runtime) + list_projects(runtime)] == ["demo", "demo"]


def test_bootstrap_on_a_database_in_use_takes_its_oldest_accounts(runtime: Runtime) -> None:
    organization = _organization(runtime)
    project = create_project(runtime, organization, "Warehouse")
    _organization(runtime)
    found = bootstrap_demo(runtime)
    assert (found.organization_id, found.project_id) == (organization, project["id"])


def test_bootstraps_at_the_same_time_make_one_organization(runtime: Runtime) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: bootstrap_demo(runtime), range(6)))
    assert len({result.organization_id for result in results}) == 1
    assert len(list_organizations(runtime)) == len(list_projects(runtime)) == 1
    assert sum(authenticate(runtime, result.token) is not None for result in results) == 1


def test_an_organization_has_the_time_zone_that_it_was_given(runtime: Runtime) -> None:
    oslo = create_organization(runtime, "Oslo", time_zone="Europe/Oslo")
    assert oslo["time_zone"] == "Europe/Oslo"
    assert create_organization(runtime, "Anywhere")["time_zone"] == "UTC"
    assert set_time_zone(runtime, oslo["id"], "Asia/Beirut")["time_zone"] == "Asia/Beirut"
    assert [found["time_zone"] for found in list_organizations(runtime)] == ["Asia/Beirut", "UTC"]


@pytest.mark.parametrize("name", ["", "Oslo", "europe/oslo", "../etc/passwd", "UTC+2", "Europe/Oslo\x00", "x" * 100])
def test_what_is_no_time_zone_is_refused(runtime: Runtime, name: str) -> None:
    with pytest.raises(Invalid, match="IANA"):
        create_organization(runtime, "Acme", time_zone=name)
    assert list_organizations(runtime) == []


def test_nobody_elses_time_zone_is_set(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        set_time_zone(runtime, "org_none", "Europe/Oslo")
