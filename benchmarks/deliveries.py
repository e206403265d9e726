"""Webhooks to a local receiver that refuses one in a hundred at first, while one endpoint hangs."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from benchmarks.figures import Deliveries, spread
from benchmarks.installation import Installation, wait_for
from benchmarks.receiver import HANGING, Receiver, running_receiver
from worker.accounts import create_organization
from worker.ids import new_id
from worker.notifications.signing import new_secret
from worker.queries.events import emit_event
from worker.runtime import Runtime
from worker.states import EndpointKind, EventType, PeriodicTask
from worker.tasks.doorbell import CeleryDoorbell

_LIFETIME = timedelta(days=3)
_SECONDS = 300.0
_PATHS = [f"/{number}" for number in range(10)]


@dataclass(frozen=True)
class _Scene:
    """An organization of its own, whose endpoints are all told of each event."""

    runtime: Runtime
    organization: int
    receiver: Receiver

    def add_endpoint(self, path: str) -> None:
        values = {
            "id": new_id("ep"),
            "organization": self.organization,
            "kind": EndpointKind.WEBHOOK,
            "target": self.receiver.url + path,
        }
        with self.runtime.transaction() as connection:
            key = connection.execute(_INSERT_ENDPOINT, values).scalar_one()
            sealed = self.runtime.keys.seal_secret(key, new_secret())
            connection.execute(_INSERT_SECRET, {"key": key, "sealed": sealed})

    def remove_endpoint(self, path: str) -> None:
        with self.runtime.transaction() as connection:
            connection.execute(_REMOVE, {"target": self.receiver.url + path})

    def tell(self, times: int) -> float:
        """So many events in one transaction; returns when it was committed, in seconds since 1970."""
        with self.runtime.transaction() as connection:
            for number in range(times):
                emit_event(connection, self.organization, EventType.PING, {"number": number}, _LIFETIME)
        told = time.time()
        self.runtime.doorbell.nudge(PeriodicTask.DELIVER)
        return told

    def count_waiting(self) -> int:
        """Of all but the endpoint that hangs."""
        with self.runtime.reading() as connection:
            return int(connection.execute(_WAITING, {"hanging": self.receiver.url + HANGING}).scalar_one())

    def is_idle(self) -> bool:
        """Whether nothing is being sent, also not to the endpoint that hangs."""
        with self.runtime.reading() as connection:
            return bool(connection.execute(_IDLE).scalar_one())


def measure_deliveries(installation: Installation, deliveries: int, trips: int) -> Deliveries:
    """Many deliveries at once, to ten endpoints beside one that hangs; then single ones, one at a time.

    Raises:
        RuntimeError: one was accepted twice, or not at all.
    """
    with installation.runtime(CeleryDoorbell(installation.settings)) as runtime, running_receiver() as receiver:
        scene = _Scene(runtime, _new_organization(runtime), receiver)
        for path in (*_PATHS, HANGING):
            scene.add_endpoint(path)
        told = scene.tell(deliveries // len(_PATHS))
        wait_for(lambda: not scene.count_waiting(), _SECONDS, pause=0.1)
        times = [at - told for at in _accepted_once(receiver, deliveries)]
        for path in (*_PATHS[1:], HANGING):
            scene.remove_endpoint(path)
        wait_for(scene.is_idle, _SECONDS, pause=0.1)
        return Deliveries(deliveries, max(times), spread(times), spread([_trip(scene) for _ in range(trips)]))


def _trip(scene: _Scene) -> float:
    """Seconds from the commit of an event to its acceptance."""
    before = len(scene.receiver.accepted())
    told = scene.tell(1)
    wait_for(lambda: len(scene.receiver.accepted()) > before, _SECONDS)
    return scene.receiver.accepted()[-1][2] - told


def _accepted_once(receiver: Receiver, expected: int) -> list[float]:
    accepted = receiver.accepted()
    times = Counter((path, event) for path, event, _ in accepted)
    if len(times) != expected or max(times.values()) > 1:
        raise RuntimeError(f"of {expected} webhooks {len(times)} were accepted, in {len(accepted)} requests")
    return [at for _, _, at in accepted]


def _new_organization(runtime: Runtime) -> int:
    found = create_organization(runtime, "deliveries")["id"]
    with runtime.reading() as connection:
        return int(connection.execute(_ORGANIZATION, {"id": found}).scalar_one())


_ORGANIZATION = text("select key from organization where public_id = :id")
_INSERT_ENDPOINT = text("""
    insert into endpoint (public_id, organization_key, kind, target, events)
    values (:id, :organization, :kind, :target, '{*}') returning key""")
_INSERT_SECRET = text("insert into endpoint_secret (endpoint_key, sealed) values (:key, :sealed)")
_REMOVE = text("""
    update endpoint set disabled_at = clock_timestamp(), disabled_reason = 'not measured' where target = :target""")
_IDLE = text("select not exists (select from delivery where lease_expires_at > clock_timestamp())")
_WAITING = text("""
    select count(*) from delivery d join endpoint e on e.key = d.endpoint_key
    where d.state = 'waiting' and e.target <> :hanging""")
