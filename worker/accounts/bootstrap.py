"""The accounts with which `claimd up` can be used at once."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from worker.accounts.organizations import add_organization, add_project
from worker.accounts.tokens import renew_bootstrap_token
from worker.queries import accounts
from worker.runtime import Runtime

DEMO: Final = "demo"


@dataclass(frozen=True)
class Bootstrap:
    """Where to claim into, and the secret of a token that may."""

    organization_id: str
    project_id: str
    token: str = field(repr=False)


def bootstrap_demo(runtime: Runtime) -> Bootstrap:
    """A fresh token for the organization and project `demo`, made if there are none.

    Where there are organizations but none called so, the oldest is taken. Tokens given out by
    earlier calls end. Two calls at once take turns.
    """
    with runtime.transaction() as connection:
        accounts.lock_bootstrap(connection)
        organization, organization_id = _organization(connection)
        return Bootstrap(
            organization_id=organization_id,
            project_id=_project(connection, organization),
            token=renew_bootstrap_token(connection, organization),
        )


def _organization(connection: Connection) -> tuple[int, str]:
    found = accounts.pick_organization(connection, DEMO) or add_organization(connection, DEMO, None)
    return found["key"], found["id"]


def _project(connection: Connection, organization: int) -> str:
    found = accounts.pick_project(connection, organization, DEMO)
    return str((found or add_project(connection, organization, DEMO, None))["id"])
