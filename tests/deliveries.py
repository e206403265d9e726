"""Endpoints and events put in by SQL, and what became of their deliveries."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping, text

from tests.claims import Sender
from worker.ids import new_id
from worker.notifications.signing import show_secret
from worker.operations.deliveries import deliver
from worker.queries.events import emit_event
from worker.runtime import Runtime
from worker.states import EndpointKind, EventType

SECRET = b"deliveries are signed with this!"


def add_endpoint(
    runtime: Runtime,
    sender: Sender,
    target: str,
    kind: EndpointKind = EndpointKind.WEBHOOK,
    *,
    secret: bool = True,
    project_id: str | None = None,
) -> int:
    """An endpoint for all events of the sender's organization, or of one project of it; returns its key."""
    organization = sender.principal.organization_key
    values = {"id": new_id("end"), "organization": organization, "project": project_id, "target": target, "kind": kind}
    with runtime.transaction() as connection:
        key = connection.execute(
            text("""insert into endpoint (public_id, organization_key, project_key, kind, target, events)
                values (:id, :organization, (select key from project where public_id = :project), :kind, :target, '{*}')
                returning key"""),
            values,
        ).scalar_one()
        if secret:
            sealed = runtime.keys.seal_secret(key, SECRET)
            connection.execute(
                text("insert into endpoint_secret (endpoint_key, sealed) values (:key, :sealed)"),
                {"key": key, "sealed": sealed},
            )
    return int(key)


def shown_secret() -> str:
    """With which receivers verify."""
    return show_secret(SECRET)


def tell(
    runtime: Runtime,
    sender: Sender,
    times: int = 1,
    *,
    batch: int | None = None,
    kind: EventType = EventType.PING,
    data: Mapping[str, Any] | None = None,
) -> None:
    """So many events to all endpoints of the sender's organization."""
    with runtime.transaction() as connection:
        for number in range(times):
            emit_event(
                connection,
                sender.principal.organization_key,
                kind,
                {"number": number} if data is None else data,
                runtime.settings.delivery_lifetime,
                batch=batch,
            )


def deliver_all(runtime: Runtime, rounds: int = 20) -> None:
    """Run after run, as if retries were due at once, until nothing waits."""
    for _ in range(rounds):
        deliver(runtime)
        if all(each["state"] != "waiting" for each in fetch_deliveries(runtime)):
            return
        make_due(runtime)
    raise AssertionError("deliveries do not come to an end")


def make_due(runtime: Runtime) -> None:
    """No retry waits any longer."""
    with runtime.transaction() as connection:
        connection.execute(text("update endpoint set retry_at = null"))
        connection.execute(text("update delivery set next_attempt_at = clock_timestamp() where state = 'waiting'"))


def age(runtime: Runtime, by: timedelta) -> None:
    """All that is due later, or given up later, is so much nearer; what failed has failed for longer."""
    with runtime.transaction() as connection:
        connection.execute(
            text("update endpoint set retry_at = retry_at - :by, failing_since = failing_since - :by"), {"by": by}
        )
        connection.execute(
            text("""update delivery set next_attempt_at = next_attempt_at - :by, give_up_at = give_up_at - :by,
                lease_expires_at = lease_expires_at - :by where state = 'waiting'"""),
            {"by": by},
        )


def fetch_deliveries(runtime: Runtime, endpoint: int | None = None) -> Sequence[RowMapping]:
    """All deliveries, or those to one endpoint, in the order of their making."""
    query = text("""
        select d.*, e.public_id as event_id, e.type from delivery d join event e on e.key = d.event_key
        where cast(:endpoint as bigint) is null or d.endpoint_key = :endpoint order by d.key""")
    with runtime.transaction() as connection:
        return connection.execute(query, {"endpoint": endpoint}).mappings().all()


def fetch_endpoint(runtime: Runtime, endpoint: int) -> RowMapping:
    """One endpoint."""
    query = text("select * from endpoint where key = :endpoint")
    with runtime.transaction() as connection:
        return connection.execute(query, {"endpoint": endpoint}).mappings().one()
