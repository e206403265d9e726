"""Bearer tokens: shown once, stored as a hash."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from worker.accounts.names import checked_name
from worker.accounts.organizations import find_organization
from worker.crypto import hash_token
from worker.errors import Invalid, NotFound
from worker.ids import new_id
from worker.principal import Principal
from worker.queries import accounts
from worker.runtime import Runtime
from worker.states import Role

SECRET_PREFIX: Final = "claimd_"  # noqa: S105  # what every secret begins with
SECRET_BYTES: Final = 32
# Tokens of this name are ended by the next `claimd up`, so nobody else may use it.
BOOTSTRAP_NAME: Final = "claimd up"


@dataclass(frozen=True)
class CreatedToken:
    """A new token with its secret, which nobody can be told again."""

    token_id: str
    secret: str = field(repr=False)
    name: str
    roles: tuple[Role, ...]
    project_ids: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class _Grant:
    name: str
    roles: tuple[Role, ...]
    project_ids: tuple[str, ...] = ()
    expires_in: timedelta | None = None


def authenticate(runtime: Runtime, token: str) -> Principal | None:
    """The bearer of `token`; None if it is unknown, revoked or expired."""
    with runtime.reading() as connection:
        found = accounts.find_bearer(connection, hash_token(token))
    if found is None:
        return None
    sets = {
        "roles": frozenset(map(Role, found["roles"])),
        "project_keys": frozenset(found["project_keys"]),
    }
    return Principal(**{**found, **sets})


def create_token(
    runtime: Runtime,
    organization_id: str,
    name: str,
    roles: Collection[str],
    project_ids: Collection[str] = (),
    expires_in: timedelta | None = None,
) -> CreatedToken:
    """A new token of an organization.

    Raises:
        Invalid: the name, the roles or the time cannot be used.
        NotFound: there is no such organization, or no such project in it.
    """
    if name.strip() == BOOTSTRAP_NAME:
        raise Invalid(f"The name “{BOOTSTRAP_NAME}” is reserved.")
    grant = _Grant(checked_name(name), _checked_roles(roles), tuple(dict.fromkeys(project_ids)), expires_in)
    _check_scope(grant)
    with runtime.transaction() as connection:
        return _add(connection, find_organization(connection, organization_id), grant)


def list_tokens(runtime: Runtime, organization_id: str | None = None) -> list[dict[str, Any]]:
    """The tokens of one organization, or all, without their secrets; oldest first.

    Raises:
        NotFound: there is no such organization.
    """
    with runtime.transaction() as connection:
        organization = organization_id and find_organization(connection, organization_id)
        return [dict(row) for row in accounts.fetch_tokens(connection, organization or None)]


def revoke_token(runtime: Runtime, token_id: str) -> dict[str, Any]:
    """End a token at once; a second time changes nothing.

    Raises:
        NotFound: there is no such token.
    """
    with runtime.transaction() as connection:
        revoked = accounts.revoke(connection, token_id)
    if revoked is None:
        raise NotFound(f"There is no token {token_id}.")
    return dict(revoked)


def renew_bootstrap_token(connection: Connection, organization: int) -> str:
    """The secret of a new token of `claimd up`; all earlier ones are ended."""
    accounts.revoke_named(connection, BOOTSTRAP_NAME)
    grant = _Grant(BOOTSTRAP_NAME, (Role.ORGANIZATION_ADMIN, Role.MANUFACTURER))
    return _add(connection, organization, grant).secret


def _add(connection: Connection, organization: int, grant: _Grant) -> CreatedToken:
    projects = accounts.find_projects(connection, organization, grant.project_ids)
    if len(projects) != len(grant.project_ids):
        raise NotFound("The organization does not have all of these projects.")
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    values = {"public_id": new_id("tok"), "name": grant.name, "hash": hash_token(secret)}
    roles = [role.value for role in grant.roles]
    row = accounts.insert_token(connection, organization, {**values, "roles": roles}, grant.expires_in, projects)
    return CreatedToken(
        token_id=row["id"],
        secret=secret,
        name=grant.name,
        roles=grant.roles,
        project_ids=grant.project_ids,
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _checked_roles(roles: Collection[str]) -> tuple[Role, ...]:
    unknown = sorted(set(roles) - set(Role))
    if unknown or not roles:
        raise Invalid(f"A token needs roles out of {', '.join(Role)}.", unknown=unknown)
    return tuple(role for role in Role if role in roles)


def _check_scope(grant: _Grant) -> None:
    if Role.PROJECT_ADMIN in grant.roles and not grant.project_ids:
        raise Invalid("A token with the role project_admin names at least one project.")
    if grant.expires_in is not None and grant.expires_in <= timedelta(0):
        raise Invalid("A token expires in the future.")
