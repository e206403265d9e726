"""Pausing and draining: ordered by operators, obeyed by every process at its next look."""

from typing import Any

from worker.accounts.organizations import find_organization
from worker.queries import halts
from worker.runtime import Runtime
from worker.states import Halt, Queue


def halt(
    runtime: Runtime, kind: Halt, queue: Queue | None, organization_id: str | None, reason: str | None
) -> list[dict[str, Any]]:
    """Halt a queue, an organization or, without either, everything; returns all halts.

    Raises:
        NotFound: there is no such organization.
    """
    with runtime.transaction() as connection:
        organization = organization_id and find_organization(connection, organization_id)
        halts.order_halt(connection, kind, queue, organization or None, reason)
        return [dict(row) for row in halts.fetch_halts(connection)]


def list_halts(runtime: Runtime) -> list[dict[str, Any]]:
    """All that is paused or drained, oldest first."""
    with runtime.transaction() as connection:
        return [dict(row) for row in halts.fetch_halts(connection)]


def lift(runtime: Runtime, queue: Queue | None, organization_id: str | None) -> int:
    """End the halts of a queue or an organization, or all of them; returns how many there were.

    Raises:
        NotFound: there is no such organization.
    """
    with runtime.transaction() as connection:
        organization = organization_id and find_organization(connection, organization_id)
        return halts.lift_halts(connection, queue, organization or None)
