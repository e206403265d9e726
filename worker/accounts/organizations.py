"""Organizations and projects."""

from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.accounts.names import checked_id, checked_name
from worker.accounts.time_zones import UTC, checked_time_zone
from worker.errors import AlreadyExists, NotFound
from worker.queries import accounts
from worker.runtime import Runtime


def create_organization(
    runtime: Runtime, name: str, organization_id: str | None = None, time_zone: str = UTC
) -> dict[str, Any]:
    """A new organization: its id, name, time zone and time of creation.

    Raises:
        Invalid: the name, the identifier or the time zone cannot be one.
        AlreadyExists: the identifier is taken.
    """
    with runtime.transaction() as connection:
        return _public(add_organization(connection, name, organization_id, time_zone))


def set_time_zone(runtime: Runtime, organization_id: str, time_zone: str) -> dict[str, Any]:
    """Let an organization's days begin by another clock; what is scheduled already stays as it is.

    Raises:
        Invalid: there is no such time zone.
        NotFound: there is no such organization.
    """
    with runtime.transaction() as connection:
        changed = accounts.set_time_zone(connection, organization_id, checked_time_zone(connection, time_zone))
    if changed is None:
        raise NotFound(f"There is no organization {organization_id}.")
    return dict(changed)


def create_project(runtime: Runtime, organization_id: str, name: str, project_id: str | None = None) -> dict[str, Any]:
    """A new project of an organization.

    Raises:
        Invalid: the name or the identifier cannot be one.
        NotFound: there is no such organization.
        AlreadyExists: the identifier, or the name in this organization, is taken.
    """
    with runtime.transaction() as connection:
        organization = find_organization(connection, organization_id)
        return {
            **_public(add_project(connection, organization, name, project_id)),
            "organization_id": organization_id,
        }


def list_organizations(runtime: Runtime) -> list[dict[str, Any]]:
    """All organizations, oldest first."""
    with runtime.transaction() as connection:
        return [dict(row) for row in accounts.fetch_organizations(connection)]


def list_projects(runtime: Runtime, organization_id: str | None = None) -> list[dict[str, Any]]:
    """The projects of one organization, or all; oldest first.

    Raises:
        NotFound: there is no such organization.
    """
    with runtime.transaction() as connection:
        organization = organization_id and find_organization(connection, organization_id)
        return [dict(row) for row in accounts.fetch_projects(connection, organization or None)]


def find_organization(connection: Connection, organization_id: str) -> int:
    """The key of an organization.

    Raises:
        NotFound: there is no such organization.
    """
    organization = accounts.find_organization(connection, organization_id)
    if organization is None:
        raise NotFound(f"There is no organization {organization_id}.")
    return organization


def add_organization(
    connection: Connection, name: str, organization_id: str | None, time_zone: str = UTC
) -> RowMapping:
    """As `create_organization`, inside a transaction of the caller's."""
    public_id, checked = checked_id(organization_id, "org"), checked_name(name)
    created = accounts.insert_organization(connection, public_id, checked, checked_time_zone(connection, time_zone))
    if created is None:
        raise AlreadyExists(f"There is an organization {public_id} already.")
    return created


def add_project(connection: Connection, organization: int, name: str, project_id: str | None) -> RowMapping:
    """As `create_project`, inside a transaction of the caller's."""
    public_id, checked = checked_id(project_id, "prj"), checked_name(name)
    created = accounts.insert_project(connection, public_id, organization, checked)
    if created is None:
        raise AlreadyExists(f"There is a project {public_id}, or one called {checked}, already.")
    return created


def _public(row: RowMapping) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "key"}
