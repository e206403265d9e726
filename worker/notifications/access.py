"""Which endpoints a principal sees, and which it may change."""

from sqlalchemy import Connection, RowMapping

from worker.errors import NotFound
from worker.principal import Principal
from worker.queries import endpoints
from worker.states import Role


def administers(principal: Principal) -> bool:
    """Whether it may change endpoints, and so be shown what may be a secret in their targets."""
    return Role.ORGANIZATION_ADMIN in principal.roles


def require_organization(principal: Principal, organization_id: str) -> None:
    """Refuse another organization than the principal's own.

    Raises:
        NotFound: it is another one, whether there is such a one or not.
    """
    if organization_id != principal.organization_id:
        raise NotFound(f"There is no organization {organization_id}.")


def own_endpoint(connection: Connection, principal: Principal, endpoint_id: str) -> RowMapping:
    """An endpoint that the principal may change, locked until the transaction ends.

    Raises:
        NotFound: there is none that it may see.
        Forbidden: it may only look at it.
    """
    key = seen_endpoint(connection, principal, endpoint_id)["key"]
    principal.require_role(Role.ORGANIZATION_ADMIN)
    endpoints.lock_endpoint(connection, key)
    return seen_endpoint(connection, principal, endpoint_id)


def seen_endpoint(connection: Connection, principal: Principal, endpoint_id: str) -> RowMapping:
    """An endpoint that the principal may see: of its projects, or any of its organization's.

    Raises:
        NotFound: there is none.
    """
    row = endpoints.find_endpoint(connection, principal.organization_key, endpoint_id)
    visible = principal.visible_projects
    if row is None or (visible is not None and row["project_key"] not in visible):
        raise NotFound(f"There is no endpoint {endpoint_id}.")
    return row
