"""Who does in the real system what the model does in its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import text

from tests.api.serving import make_tenant
from tests.claims import add_devices
from tests.crash.scene import Scene
from tests.database.test_model import as_json
from tests.model import Device, Result, Row
from worker.operations.halts import halt, lift
from worker.queries.clock import business_now
from worker.runtime import Runtime
from worker.states import Halt, PeriodicTask

_JSON: Final = {"Content-Type": "application/json"}
_EXHAUST = text("""
    update work_item set attempts = 1000 where batch_key = (select key from batch where public_id = :batch)""")
_ACTIVE = text("""
    select d.device_id from subscription s join device d on d.key = s.device_key
    where s.state = 'active' and d.device_id = any(:devices) order by 1""")
_HOLDERS = text("""
    select d.device_id, p.public_id from claim c join device d on d.key = c.device_key
    join project p on p.key = c.project_key where d.device_id = any(:devices)""")


@dataclass
class Actor:
    """One organization, which asks again until it is answered."""

    scene: Scene

    @property
    def project(self) -> str:
        return self.scene.tenant.project_id

    def submit(self, rows: list[Row], **options: str) -> tuple[str, list[Row]]:
        """The batch's id, and its rows in the order of their numbers."""
        body, in_order = as_json(rows)
        answer = self.scene.request("POST", self.scene.tenant.uploads, params=options, content=body, headers=_JSON)
        return str(answer["id"]), in_order

    def submit_in_vain(self, rows: list[Row]) -> tuple[str, list[Row]]:
        """A batch that is given up before it has begun, as if it had cost too many workers."""
        runtime, organization = self.scene.runtime, self.scene.tenant.organization_id
        halt(runtime, Halt.PAUSE, None, organization, "the model wants a failure")
        batch_id, in_order = self.submit(rows)
        with runtime.transaction() as connection:
            connection.execute(_EXHAUST, {"batch": batch_id})
        lift(runtime, None, organization)
        return batch_id, in_order

    def plan(self, days: int | None, rows: list[str] | None = None) -> str:
        """Start now or in some days what is listed, or all that is held."""
        arguments: dict[str, Any] = {"params": {"activate": self._day(days), "all": "true"}}
        if rows is not None:
            body, _ = as_json([Row(device_id=row) for row in rows])
            arguments = {"params": {"activate": self._day(days)}, "content": body, "headers": _JSON}
        return str(self.scene.request("POST", f"/v1/projects/{self.project}/plan-batches", **arguments)["id"])

    def act(self, batch_id: str, what: str) -> Mapping[str, Any] | None:
        """The document; None if it is refused."""
        answer = self.scene.request("POST", f"/v1/claim-batches/{batch_id}/{what}", refused={409, 410})
        return answer if "id" in answer else None

    def told(self, batch_id: str) -> list[Result]:
        """Row, device and outcome, as anybody is told who asks."""
        page = self.scene.request("GET", f"/v1/claim-batches/{batch_id}/results", params={"limit": "1000"})
        return [(each["row"], each["device_id"], each["outcome"]) for each in page["items"]]

    def _day(self, days: int | None) -> str:
        if days is None:
            return "now"
        with self.scene.runtime.transaction() as connection:
            return (business_now(connection) + timedelta(days=days)).date().isoformat()


@dataclass
class Stage:
    """Two organizations and the few devices that they both want."""

    actors: tuple[Actor, Actor]
    devices: dict[str, Device]

    def holders(self) -> dict[str, str]:
        """Who holds what."""
        with self._runtime.transaction() as connection:
            return {row[0]: row[1] for row in connection.execute(_HOLDERS, {"devices": list(self.devices)})}

    def active(self) -> list[str]:
        """The devices whose prepaid time runs."""
        with self._runtime.transaction() as connection:
            return list(connection.execute(_ACTIVE, {"devices": list(self.devices)}).scalars())

    def until(self, happened: Callable[[], object], task: PeriodicTask) -> None:
        """Wait for what a periodic task does."""
        self.actors[0].scene.until(happened, task)

    def leave(self) -> None:
        """Close what is open."""
        for actor in self.actors:
            actor.scene.leave()

    @property
    def _runtime(self) -> Runtime:
        return self.actors[0].scene.runtime


def new_stage(runtime: Runtime, api_url: str) -> Stage:
    """Nine devices in two kits and loose, three of them with a code, one without prepaid time."""
    prefix = f"m{uuid4().hex[:12]}"
    first, second = (Actor(Scene(runtime, api_url, make_tenant(runtime), prefix)) for _ in range(2))
    kit_a, kit_b = f"{prefix}-kit-a", f"{prefix}-kit-b"
    inventory = [Device(f"{prefix}-{number}", kit_a) for number in range(4)]
    inventory += [Device(f"{prefix}-{number}", kit_b, has_code=True) for number in range(4, 6)]
    inventory += [Device(f"{prefix}-6", has_code=True), Device(f"{prefix}-7"), Device(f"{prefix}-8", months=0)]
    for those in (inventory[:4], inventory[4:6], inventory[6:7], inventory[7:8], inventory[8:]):
        of = those[0]
        add_devices(runtime, [each.device_id for each in those], of.kit_id, of.months, of.has_code)
    return Stage((first, second), {device.device_id: device for device in inventory})
