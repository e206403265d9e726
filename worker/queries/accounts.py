"""Organizations, projects and tokens."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

# Two that make the demo accounts at once take turns.
BOOTSTRAP_LOCK = 4_715_533_002

_BEARER = text(
    "select token.key as token_key, token.public_id as token_id, token.name, token.roles, "
    "organization.key as organization_key, organization.public_id as organization_id, "
    "array(select project_key from token_project where token_key = token.key) as project_keys "
    "from token join organization on organization.key = token.organization_key "
    "where token.secret_hash = :hash and token.revoked_at is null "
    "and (token.expires_at is null or token.expires_at > clock_timestamp())"
)
_INSERT_ORGANIZATION = text(
    "insert into organization (public_id, name, time_zone) values (:public_id, :name, :time_zone) "
    "on conflict (public_id) do nothing returning key, public_id as id, name, time_zone, created_at"
)
_SET_TIME_ZONE = text(
    "update organization set time_zone = :time_zone where public_id = :public_id "
    "returning public_id as id, name, time_zone, created_at"
)
_INSERT_PROJECT = text(
    "insert into project (public_id, organization_key, name) values (:public_id, :organization, :name) "
    "on conflict do nothing returning key, public_id as id, name, created_at"
)
_INSERT_TOKEN = text(
    "insert into token (public_id, organization_key, name, secret_hash, roles, expires_at) "
    "values (:public_id, :organization, :name, :hash, :roles, clock_timestamp() + :expires_in) "
    "returning key, public_id as id, name, roles, created_at, expires_at"
)
_GRANT_PROJECTS = text(
    "insert into token_project (token_key, project_key) select :token, unnest(cast(:projects as bigint[]))"
)
_ORGANIZATION_KEY = text("select key from organization where public_id = :public_id")
_PROJECT_KEYS = text("select key from project where organization_key = :organization and public_id = any(:public_ids)")
_ORGANIZATIONS = text("select public_id as id, name, time_zone, created_at from organization order by key")
_PROJECTS = text(
    "select project.public_id as id, organization.public_id as organization_id, project.name, "
    "project.created_at from project join organization on organization.key = project.organization_key "
    "where cast(:organization as bigint) is null or organization.key = :organization order by project.key"
)
_TOKENS = text(
    "select token.public_id as id, organization.public_id as organization_id, token.name, token.roles, "
    "array(select project.public_id from token_project join project on project.key = project_key "
    "where token_key = token.key order by project.key) as project_ids, "
    "token.created_at, token.expires_at, token.revoked_at "
    "from token join organization on organization.key = token.organization_key "
    "where cast(:organization as bigint) is null or organization.key = :organization order by token.key"
)
_REVOKE = text(
    "update token set revoked_at = coalesce(revoked_at, clock_timestamp()) where public_id = :public_id "
    "returning public_id as id, name, revoked_at"
)
_REVOKE_NAMED = text("update token set revoked_at = clock_timestamp() where name = :name and revoked_at is null")
_LOCK = text("select pg_advisory_xact_lock(:lock)")
_FAVOURITE_ORGANIZATION = text(
    "select key, public_id as id from organization order by (name = :name) desc, key limit 1"
)
_FAVOURITE_PROJECT = text(
    "select key, public_id as id from project where organization_key = :organization "
    "order by (name = :name) desc, key limit 1"
)


def find_bearer(connection: Connection, secret_hash: bytes) -> RowMapping | None:
    """The valid token with this hash, its organization, and the keys of the projects that it names."""
    return connection.execute(_BEARER, {"hash": secret_hash}).mappings().one_or_none()


def insert_organization(connection: Connection, public_id: str, name: str, time_zone: str) -> RowMapping | None:
    """The new organization, or nothing if the identifier is taken."""
    values = {"public_id": public_id, "name": name, "time_zone": time_zone}
    return connection.execute(_INSERT_ORGANIZATION, values).mappings().one_or_none()


def set_time_zone(connection: Connection, public_id: str, time_zone: str) -> RowMapping | None:
    """The organization, changed; nothing if there is none."""
    values = {"public_id": public_id, "time_zone": time_zone}
    return connection.execute(_SET_TIME_ZONE, values).mappings().one_or_none()


def insert_project(connection: Connection, public_id: str, organization: int, name: str) -> RowMapping | None:
    """The new project, or nothing if the identifier, or the name in this organization, is taken."""
    values = {"public_id": public_id, "organization": organization, "name": name}
    return connection.execute(_INSERT_PROJECT, values).mappings().one_or_none()


def insert_token(
    connection: Connection,
    organization: int,
    values: Mapping[str, Any],
    expires_in: timedelta | None,
    projects: Sequence[int],
) -> RowMapping:
    """The new token; `values` has its public_id, name, hash and roles."""
    row = {"organization": organization, "expires_in": expires_in, **values}
    token = connection.execute(_INSERT_TOKEN, row).mappings().one()
    connection.execute(_GRANT_PROJECTS, {"token": token["key"], "projects": list(projects)})
    return token


def find_organization(connection: Connection, public_id: str) -> int | None:
    """The key of an organization."""
    return connection.execute(_ORGANIZATION_KEY, {"public_id": public_id}).scalar_one_or_none()


def find_projects(connection: Connection, organization: int, public_ids: Sequence[str]) -> list[int]:
    """The keys of those projects that are this organization's."""
    values = {"organization": organization, "public_ids": list(public_ids)}
    return list(connection.execute(_PROJECT_KEYS, values).scalars())


def fetch_organizations(connection: Connection) -> Sequence[RowMapping]:
    """All organizations, oldest first."""
    return connection.execute(_ORGANIZATIONS).mappings().all()


def fetch_projects(connection: Connection, organization: int | None) -> Sequence[RowMapping]:
    """All projects of an organization, or of all; oldest first."""
    return connection.execute(_PROJECTS, {"organization": organization}).mappings().all()


def fetch_tokens(connection: Connection, organization: int | None) -> Sequence[RowMapping]:
    """All tokens of an organization, or of all, without their secrets; oldest first."""
    return connection.execute(_TOKENS, {"organization": organization}).mappings().all()


def revoke(connection: Connection, public_id: str) -> RowMapping | None:
    """The token, which is no longer valid; its first revocation counts."""
    return connection.execute(_REVOKE, {"public_id": public_id}).mappings().one_or_none()


def revoke_named(connection: Connection, name: str) -> None:
    """End every token of this name."""
    connection.execute(_REVOKE_NAMED, {"name": name})


def lock_bootstrap(connection: Connection) -> None:
    """Wait until no other transaction makes the demo accounts."""
    connection.execute(_LOCK, {"lock": BOOTSTRAP_LOCK})


def pick_organization(connection: Connection, name: str) -> RowMapping | None:
    """The oldest organization called `name`, or else the oldest of all, as key and id."""
    return connection.execute(_FAVOURITE_ORGANIZATION, {"name": name}).mappings().one_or_none()


def pick_project(connection: Connection, organization: int, name: str) -> RowMapping | None:
    """The organization's project called `name`, or else its oldest, as key and id."""
    values = {"organization": organization, "name": name}
    return connection.execute(_FAVOURITE_PROJECT, values).mappings().one_or_none()
