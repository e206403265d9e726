"""Who may use claimd: organizations, their projects and bearer tokens."""

from worker.accounts.bootstrap import Bootstrap, bootstrap_demo
from worker.accounts.organizations import (
    create_organization,
    create_project,
    list_organizations,
    list_projects,
    set_time_zone,
)
from worker.accounts.tokens import CreatedToken, authenticate, create_token, list_tokens, revoke_token

__all__ = [
    "Bootstrap",
    "CreatedToken",
    "authenticate",
    "bootstrap_demo",
    "create_organization",
    "create_project",
    "create_token",
    "list_organizations",
    "list_projects",
    "list_tokens",
    "revoke_token",
    "set_time_zone",
]
