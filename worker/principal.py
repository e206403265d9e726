"""Who asks, and what they may see and do."""

from dataclasses import dataclass

from worker.errors import Forbidden, NotFound
from worker.states import Role


@dataclass(frozen=True)
class Principal:
    """The bearer of a token."""

    token_key: int
    token_id: str
    name: str
    organization_key: int
    organization_id: str
    roles: frozenset[Role]
    project_keys: frozenset[int]

    def sees_project(self, project_key: int) -> bool:
        """Whether a project of its own organization is visible to it; what is not is answered as 404."""
        if Role.ORGANIZATION_ADMIN in self.roles:
            return True
        if project_key in self.project_keys:
            return bool(self.roles & {Role.PROJECT_ADMIN, Role.VIEWER})
        return Role.VIEWER in self.roles and not self.project_keys

    def require_change(self, project_key: int) -> None:
        """Refuse those who may only look.

        Raises:
            Forbidden: neither organization_admin nor project_admin of this project.
        """
        administers = Role.PROJECT_ADMIN in self.roles and project_key in self.project_keys
        if Role.ORGANIZATION_ADMIN not in self.roles and not administers:
            raise Forbidden("This token may look at the project, not change it.")

    def require_role(self, role: Role) -> None:
        """Refuse those without `role`.

        Raises:
            Forbidden: the token does not have it.
        """
        if role not in self.roles:
            raise Forbidden(f"This needs a token with the role {role}.")

    def require_organization(self, organization_id: str) -> None:
        """Refuse those who do not see all of an organization.

        Raises:
            NotFound: it is another one.
            Forbidden: the token sees only some of its projects.
        """
        if organization_id != self.organization_id:
            raise NotFound(f"There is no organization {organization_id}.")
        if self.visible_projects is not None:
            raise Forbidden("This needs a token that sees all projects of the organization.")

    @property
    def visible_projects(self) -> frozenset[int] | None:
        """The keys of the projects that it sees; None for all of its organization."""
        if Role.ORGANIZATION_ADMIN in self.roles or (Role.VIEWER in self.roles and not self.project_keys):
            return None
        return self.project_keys if self.roles & {Role.PROJECT_ADMIN, Role.VIEWER} else frozenset()
