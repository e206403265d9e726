"""Write what is due: once a day for each organization, at seven in the morning where it is."""

import time
from typing import Final

from sqlalchemy import Connection

from worker.digests.content import compose
from worker.queries import digests
from worker.queries.events import emit_event
from worker.runtime import Runtime
from worker.states import EventType, PeriodicTask

AT_ONCE: Final = 200
ENOUGH_SECONDS: Final = 40.0


def write_digests(runtime: Runtime) -> int:
    """Write the digests that are due, and tell the endpoints that want them; returns how many.

    One that was missed is part of the next: after a week without beat there is one, for the whole week.
    """
    stop_at = time.monotonic() + ENOUGH_SECONDS
    written = more = _write_some(runtime)
    while more and time.monotonic() < stop_at:
        more = _write_some(runtime)
        written += more
    return written


def _write_some(runtime: Runtime) -> int:
    with runtime.transaction() as connection:
        due = digests.find_due_digests(connection, AT_ONCE) if digests.lock_digests(connection) else []
        documents = compose(connection, due)
        written = [each for each in due if digests.insert_digest(connection, each, documents[each.organization_key])]
        told = sum(_tell(runtime, connection, each.organization_key, documents) for each in written)
    if told:
        runtime.doorbell.nudge(PeriodicTask.DELIVER)
    return len(written)


def _tell(runtime: Runtime, connection: Connection, organization: int, documents: dict[int, dict[str, object]]) -> int:
    lifetime = runtime.settings.delivery_lifetime
    return emit_event(connection, organization, EventType.DIGEST_DAILY, documents[organization], lifetime)
