"""Where an organization wants to be told: endpoints made, changed, deleted; their secrets renewed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection

from worker.errors import Invalid, NotFound, Refused
from worker.ids import new_id
from worker.notifications.access import administers, own_endpoint, require_organization, seen_endpoint
from worker.notifications.signing import new_secret, show_secret
from worker.notifications.targets import checked_events, checked_target
from worker.notifications.views import endpoint_document
from worker.principal import Principal
from worker.queries import deliveries, endpoints
from worker.queries.holdings import find_project
from worker.runtime import Runtime
from worker.states import EndpointKind, PeriodicTask, Role

MOST_ENDPOINTS: Final = 50
MOST_FORMER_SECRETS: Final = 4
KEEP_FORMER: Final = timedelta(hours=24)
MAX_DESCRIPTION: Final = 200


class TooManyEndpoints(Refused):
    """The organization has too many endpoints."""

    status = 409
    problem_type = "too-many-endpoints"


@dataclass(frozen=True)
class NewEndpoint:
    """What its owner asks for; `project_id` None: the events of all projects."""

    kind: EndpointKind
    target: str
    events: Sequence[str]
    project_id: str | None = None
    description: str | None = None


def create_endpoint(runtime: Runtime, principal: Principal, organization_id: str, wish: NewEndpoint) -> dict[str, Any]:
    """The document of a new endpoint; that of a webhook has its `secret`, which is never shown again.

    Raises:
        NotFound: it is another organization, or there is no such project.
        Forbidden: the principal does not administer the organization.
        Invalid: nothing can be sent there, or there is no such event.
        TooManyEndpoints: there are 50 of them.
    """
    with runtime.transaction() as connection:
        require_organization(principal, organization_id)
        principal.require_role(Role.ORGANIZATION_ADMIN)
        endpoint_id = new_id("ep")
        asked = {"target": wish.target, "events": wish.events, "description": wish.description}
        values = _checked(runtime, connection, principal, wish.kind, {**asked, "project_id": wish.project_id})
        own = {"public_id": endpoint_id, "organization": principal.organization_key, "kind": wish.kind}
        key = endpoints.insert_endpoint(connection, {**values, **own}, MOST_ENDPOINTS)
        if key is None:
            raise TooManyEndpoints(f"An organization has at most {MOST_ENDPOINTS} endpoints.")
        secret = _add_secret(runtime, connection, key) if wish.kind is EndpointKind.WEBHOOK else {}
        return {**_document(connection, principal, endpoint_id), **secret}


def list_endpoints(runtime: Runtime, principal: Principal, organization_id: str) -> dict[str, Any]:
    """The endpoints that the principal sees: those of its projects, or all of the organization.

    Raises:
        NotFound: it is another organization.
    """
    require_organization(principal, organization_id)
    visible = principal.visible_projects
    with runtime.reading() as connection:
        rows = endpoints.fetch_endpoints(
            connection, principal.organization_key, None if visible is None else sorted(visible)
        )
    return {"items": [endpoint_document(row, in_full=administers(principal)) for row in rows], "next_cursor": None}


def get_endpoint(runtime: Runtime, principal: Principal, endpoint_id: str) -> dict[str, Any]:
    """The document of one endpoint.

    Raises:
        NotFound: there is none that the principal may see.
    """
    with runtime.reading() as connection:
        return _document(connection, principal, endpoint_id)


def change_endpoint(
    runtime: Runtime, principal: Principal, endpoint_id: str, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Give it another `target`, `events`, `description` or `project_id`; returns its document.

    Raises:
        NotFound, Forbidden, Invalid: as `create_endpoint`.
    """
    with runtime.transaction() as connection:
        row = own_endpoint(connection, principal, endpoint_id)
        present = {name: row[name] for name in ("target", "events", "description", "project_id")}
        values = _checked(runtime, connection, principal, EndpointKind(row["kind"]), {**present, **changes})
        endpoints.change_endpoint(connection, row["key"], values)
        return _document(connection, principal, endpoint_id)


def delete_endpoint(runtime: Runtime, principal: Principal, endpoint_id: str) -> None:
    """Tell it nothing any more; what waits for it is dead.

    Raises:
        NotFound, Forbidden: as ever.
    """
    with runtime.transaction() as connection:
        row = own_endpoint(connection, principal, endpoint_id)
        deliveries.disable_endpoint(connection, row["key"], "the endpoint was deleted")
        endpoints.delete_endpoint(connection, row["key"])


def enable_endpoint(runtime: Runtime, principal: Principal, endpoint_id: str) -> dict[str, Any]:
    """Begin anew with an endpoint that was disabled or has failed; returns its document.

    Raises:
        NotFound, Forbidden: as ever.
    """
    with runtime.transaction() as connection:
        row = own_endpoint(connection, principal, endpoint_id)
        endpoints.enable_endpoint(connection, row["key"])
        document = _document(connection, principal, endpoint_id)
    runtime.doorbell.nudge(PeriodicTask.DELIVER)
    return document


def renew_secret(
    runtime: Runtime, principal: Principal, endpoint_id: str, keep_former: timedelta = KEEP_FORMER
) -> dict[str, Any]:
    """The document of the endpoint with a new `secret`; the former ones sign, too, for `keep_former`.

    Raises:
        NotFound, Forbidden: as ever.
        Invalid: nothing is signed for mail.
    """
    with runtime.transaction() as connection:
        row = own_endpoint(connection, principal, endpoint_id)
        if row["kind"] != EndpointKind.WEBHOOK:
            raise Invalid("Only webhooks have secrets.")
        secret = _add_secret(runtime, connection, row["key"], keep_former)
        return {**_document(connection, principal, endpoint_id), **secret}


def _checked(
    runtime: Runtime, connection: Connection, principal: Principal, kind: EndpointKind, asked: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "target": checked_target(runtime.settings, kind, asked["target"]),
        "events": checked_events(asked["events"]),
        "description": _checked_description(asked["description"]),
        "project": _project(connection, principal, asked["project_id"]),
    }


def _checked_description(text: str | None) -> str | None:
    trimmed = (text or "").strip()
    if len(trimmed) > MAX_DESCRIPTION or not trimmed.isprintable():
        raise Invalid(f"A description has at most {MAX_DESCRIPTION} printable characters.", parameter="description")
    return trimmed or None


def _project(connection: Connection, principal: Principal, project_id: str | None) -> int | None:
    if project_id is None:
        return None
    project = find_project(connection, principal.organization_key, project_id)
    if project is None:
        raise NotFound(f"There is no project {project_id}.")
    return project


def _add_secret(
    runtime: Runtime, connection: Connection, endpoint: int, keep_former: timedelta = KEEP_FORMER
) -> dict[str, str]:
    secret = new_secret()
    sealed = runtime.keys.seal_secret(endpoint, secret)
    endpoints.add_secret(connection, endpoint, sealed, keep_former, MOST_FORMER_SECRETS)
    return {"secret": show_secret(secret)}


def _document(connection: Connection, principal: Principal, endpoint_id: str) -> dict[str, Any]:
    return endpoint_document(seen_endpoint(connection, principal, endpoint_id), in_full=administers(principal))
