"""One organization's doings against the real API, told so that two runs can be compared."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
from sqlalchemy import text

from tests.api.serving import Tenant, make_tenant
from tests.claims import add_devices
from tests.embedded.waiting import wait_until
from worker.runtime import Runtime

DEVICES = 100
ENDS = frozenset({"previewed", "completed", "rejected", "cancelled", "failed", "reverted"})
SECONDS = 60.0

_OUTCOMES = text("""
    select b.operation || ' ' || b.state, r.row, r.position, r.outcome, d.device_id
    from batch b join organization o on o.key = b.organization_key left join result r on r.batch_key = b.key
    left join device d on d.key = r.device_key
    where o.public_id = :organization order by b.key, r.row, r.position""")
_CLAIMS = text("""
    select d.device_id, c.batch_key = first_value(c.batch_key) over (order by c.batch_key)
    from claim c join device d on d.key = c.device_key join project p on p.key = c.project_key
    join organization o on o.key = p.organization_key where o.public_id = :organization order by 1""")
_HISTORY = text("""
    select d.device_id, count(*) from claim_history h join device d on d.key = h.device_key
    join project p on p.key = h.project_key join organization o on o.key = p.organization_key
    where o.public_id = :organization group by 1 order by 1""")
_SUBSCRIPTIONS = text("""
    select d.device_id, s.state, s.reminded, s.ends_at - s.starts_at > interval '300 days'
    from subscription s join device d on d.key = s.device_key join claim c on c.device_key = s.device_key
    join project p on p.key = c.project_key join organization o on o.key = p.organization_key
    where o.public_id = :organization order by 1""")
_DELIVERIES = text("""
    select e.type, d.state, count(*) from delivery d join event e on e.key = d.event_key
    join organization o on o.key = e.organization_key where o.public_id = :organization group by 1, 2 order by 1, 2""")
_OPEN = text("""
    select (select count(*) from work_item w join organization o on o.key = w.organization_key
            where o.public_id = :organization and w.done_at is null)
        + (select count(*) from delivery d join event e on e.key = d.event_key
            join organization o on o.key = e.organization_key
            where o.public_id = :organization and d.state = 'waiting')""")


@dataclass
class Scene:
    """A tenant with devices of its own, and a client that asks again until it is answered."""

    runtime: Runtime
    api_url: str
    tenant: Tenant
    prefix: str
    batches: list[str] = field(default_factory=list)

    @property
    def devices(self) -> list[str]:
        return [f"{self.prefix}-{number:03}" for number in range(DEVICES)]

    def csv(self, *rows: str) -> bytes:
        return "\n".join(["device_id", *rows]).encode()

    def request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """The answer; asked again under the same key as long as nobody answers."""
        headers = self.tenant.headers | {"Idempotency-Key": str(uuid4())} | arguments.pop("headers", {})
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                answer = httpx2.request(
                    method, self.api_url + path, headers=headers, timeout=10, trust_env=False, **arguments
                )
            except httpx2.TransportError:
                assert time.monotonic() < deadline, f"nobody answers {method} {path}"
                time.sleep(0.05)
                continue
            if answer.status_code == 409 and answer.json()["type"].endswith("in-flight"):
                time.sleep(0.05)
                continue
            assert answer.is_success, answer.text
            return dict(answer.json())

    def send(self, body: bytes, **options: str) -> str:
        """Submit a CSV; returns the batch's id."""
        path = f"/v1/projects/{self.tenant.project_id}/claim-batches"
        found = self.request("POST", path, params=options, content=body, headers={"Content-Type": "text/csv"})
        self.batches.append(found["id"])
        return str(found["id"])

    def wait_end(self, batch_id: str) -> dict[str, Any]:
        """The batch once it has ended."""
        path = f"/v1/claim-batches/{batch_id}"
        wait_until(lambda: self.request("GET", path)["state"] in ENDS, SECONDS)
        return self.request("GET", path)

    def settle(self) -> None:
        """Wait until nothing is left to be done for this organization."""
        wait_until(lambda: self._one(_OPEN) == 0, SECONDS)

    def told(self) -> dict[str, Any]:
        """All that this organization's doings have come to, without what differs from run to run."""
        return {
            "outcomes": self._rows(_OUTCOMES),
            "claims": self._rows(_CLAIMS),
            "history": self._rows(_HISTORY),
            "subscriptions": self._rows(_SUBSCRIPTIONS),
            "deliveries": self._rows(_DELIVERIES),
        }

    def _rows(self, query: Any) -> list[tuple[Any, ...]]:
        with self.runtime.transaction() as connection:
            rows = connection.execute(query, {"organization": self.tenant.organization_id}).all()
        strip = self.prefix + "-"
        return [tuple(v.removeprefix(strip) if isinstance(v, str) else v for v in row) for row in rows]

    def _one(self, query: Any) -> int:
        with self.runtime.transaction() as connection:
            return int(connection.execute(query, {"organization": self.tenant.organization_id}).scalar_one())


def new_scene(runtime: Runtime, api_url: str) -> Scene:
    """A new organization with a hundred devices that nobody else knows of."""
    scene = Scene(runtime, api_url, make_tenant(runtime), f"d{uuid4().hex[:12]}")
    add_devices(runtime, scene.devices)
    return scene


def small(scene: Scene) -> None:
    """A batch of one step, with bad rows."""
    scene.wait_end(scene.send(scene.csv(*scene.devices[:20], scene.devices[3], "unknown", "bad id!")))


def large(scene: Scene) -> None:
    """A batch of several chunks."""
    scene.wait_end(scene.send(scene.csv(*scene.devices, scene.devices[3], "unknown")))


def preview(scene: Scene) -> None:
    """A preview and its confirmation."""
    batch_id = scene.send(scene.csv(*scene.devices), preview="true")
    scene.wait_end(batch_id)
    scene.request("POST", f"/v1/claim-batches/{batch_id}/confirm")
    wait_until(lambda: scene.request("GET", f"/v1/claim-batches/{batch_id}")["state"] == "completed", SECONDS)


def rejected(scene: Scene) -> None:
    """An input that cannot be used."""
    scene.wait_end(scene.send(b""))


SCENARIOS = {each.__name__: each for each in (small, large, preview, rejected)}


def count_twice(told: dict[str, Any]) -> dict[str, int]:
    """Devices that were claimed more than once, by their results."""
    claimed = Counter(row[4] for row in told["outcomes"] if row[3] == 1)
    return {device: count for device, count in claimed.items() if count > 1}
