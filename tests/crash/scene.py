"""One organization's doings against the real API, told so that two runs can be compared."""

import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
from sqlalchemy import TextClause, text

from tests.api.serving import Tenant, make_tenant
from tests.claims import add_devices
from tests.crash.telling import OPEN, TOLD
from tests.embedded.waiting import wait_until
from tests.receiver import Receiver
from worker.ids import new_id
from worker.runtime import Runtime
from worker.states import EventType, PeriodicTask

DEVICES = 100
ENDS = frozenset({"previewed", "completed", "rejected", "cancelled", "failed", "reverted"})
SECONDS = 60.0
NUDGE_SECONDS = 0.4
LOOK_SECONDS = 0.1  # or asking would be most of the work
CSV = {"Content-Type": "text/csv"}
# The daily digest comes when it is seven o'clock somewhere, in whichever scene that happens.
EVENTS = sorted(set(EventType) - {EventType.DIGEST_DAILY, EventType.PING})

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to make one for each request takes longer than most requests
_ADD_ENDPOINT = text("""
    with made as (
        insert into endpoint (public_id, organization_key, kind, target, events)
        select :id, key, 'webhook', :target, :events from organization where public_id = :organization returning key)
    select key from made""")
_ADD_SECRET = text("insert into endpoint_secret (endpoint_key, sealed) values (:key, :sealed)")
_LEAVE = text("""
    update endpoint set disabled_at = clock_timestamp(), disabled_reason = 'the scene is over'
    where disabled_at is null and organization_key = (select key from organization where public_id = :organization)""")


@dataclass
class Scene:
    """A tenant with devices of its own, and a client that asks again until it is answered.

    `on_stage` is told where the scene has come to; nudges are sent only if the runtime's doorbell rings somewhere.
    """

    runtime: Runtime
    api_url: str
    tenant: Tenant
    prefix: str
    receiver: Receiver | None = None
    batches: list[str] = field(default_factory=list)
    on_stage: Callable[[str], None] = lambda _stage: None

    @property
    def devices(self) -> list[str]:
        return [f"{self.prefix}-{number:03}" for number in range(DEVICES)]

    def csv(self, *rows: str) -> bytes:
        return "\n".join(["device_id", *rows]).encode()

    def request(
        self, method: str, path: str, *, refused: Collection[int] = (), key: str | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """The answer; asked again under the same key as long as nobody answers.

        `refused`: further statuses that are an answer. A `content` that can be called is called for each attempt.
        """
        headers = self.tenant.headers | {"Idempotency-Key": key or str(uuid4())} | arguments.pop("headers", {})
        content, deadline = arguments.pop("content", None), time.monotonic() + SECONDS
        while True:
            body = content() if callable(content) else content
            answer = self._ask(method, path, headers=headers, content=body, **arguments)
            if answer is not None and not _is_busy(answer):
                assert answer.is_success or answer.status_code in refused, answer.text
                return dict(answer.json()) if answer.content else {}
            assert time.monotonic() < deadline, f"nobody answers {method} {path}"
            time.sleep(0.05)

    def ask_once(self, method: str, path: str, *, done: Callable[[], object], **arguments: Any) -> None:
        """Ask for what has no key; where nobody answers, look whether it is done before asking again."""
        deadline = time.monotonic() + SECONDS
        while (answer := self._ask(method, path, headers=self.tenant.headers, **arguments)) is None:
            assert time.monotonic() < deadline, f"nobody answers {method} {path}"
            if done():
                return
        assert answer.is_success, answer.text

    def send(self, body: Any, **options: str) -> str:
        """Submit a CSV; returns the batch's id."""
        found = self.request("POST", self.tenant.uploads, params=options, content=body, headers=CSV)
        self.batches.append(found["id"])
        return str(found["id"])

    def act(self, batch_id: str, what: str) -> dict[str, Any]:
        """Confirm, cancel, revert or resume a batch."""
        return self.request("POST", f"/v1/claim-batches/{batch_id}/{what}")

    def wait_end(self, batch_id: str, *states: str) -> dict[str, Any]:
        """The batch once it has ended, or is in one of these states."""
        path = f"/v1/claim-batches/{batch_id}"
        wait_until(lambda: self.request("GET", path)["state"] in (states or ENDS), SECONDS, LOOK_SECONDS)
        return self.request("GET", path)

    def until(self, happened: Callable[[], object], *tasks: PeriodicTask) -> None:
        """Wait for what periodic tasks do; they are asked for again and again, as beat does."""
        nudged = 0.0

        def look() -> object:
            nonlocal nudged
            if time.monotonic() > nudged + NUDGE_SECONDS:
                nudged = time.monotonic()
                for task in tasks:
                    self.runtime.doorbell.nudge(task)
            return happened()

        wait_until(look, SECONDS)

    def stage(self, name: str) -> None:
        """Say where the scene has come to."""
        self.on_stage(name)

    def settle(self) -> None:
        """Wait until nothing is left to be done for this organization."""
        self.until(lambda: self.count(OPEN) == 0, PeriodicTask.DELIVER)

    def told(self) -> dict[str, Any]:
        """All that this organization's doings have come to, without what differs from run to run."""
        return {name: self.rows(query) for name, query in TOLD.items()} | {"received": self.received()}

    def received(self) -> Counter[str]:
        """How many different events of each type have come to its endpoint; a repeated one counts once."""
        came = self.receiver.at(f"/{self.prefix}") if self.receiver else []
        types = {each.event_id: json.loads(each.body)["type"] for each in came}
        return Counter(types.values())

    def rows(self, query: TextClause) -> list[tuple[Any, ...]]:
        """What a query finds of this organization; devices without their prefix."""
        with self.runtime.transaction() as connection:
            rows = connection.execute(query, {"organization": self.tenant.organization_id}).all()
        strip = self.prefix + "-"
        return [tuple(v.removeprefix(strip) if isinstance(v, str) else v for v in row) for row in rows]

    def count(self, query: TextClause) -> int:
        """What a query counts of this organization."""
        return int(self.rows(query)[0][0])

    def leave(self) -> None:
        """Be told nothing any more, whatever happens in later scenes."""
        with self.runtime.transaction() as connection:
            connection.execute(_LEAVE, {"organization": self.tenant.organization_id})

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx2.Response | None:
        try:
            url = self.api_url + path
            return httpx2.request(method, url, timeout=10, trust_env=False, verify=_NO_TLS, **arguments)
        except httpx2.TransportError:
            return None


def new_scene(runtime: Runtime, api_url: str, receiver: Receiver | None = None) -> Scene:
    """A new organization with a hundred devices that nobody else knows of, and an endpoint at the receiver."""
    scene = Scene(runtime, api_url, make_tenant(runtime), f"d{uuid4().hex[:12]}", receiver)
    add_devices(runtime, scene.devices)
    if receiver is not None:
        add_endpoint(scene, *EVENTS)
    return scene


def add_endpoint(scene: Scene, *events: str) -> None:
    """Have the scene's receiver told of these events."""
    assert scene.receiver is not None
    values = {
        "id": new_id("ep"),
        "organization": scene.tenant.organization_id,
        "target": f"{scene.receiver.url}/{scene.prefix}",
        "events": list(events),
    }
    with scene.runtime.transaction() as connection:
        key = connection.execute(_ADD_ENDPOINT, values).scalar_one()
        sealed = scene.runtime.keys.seal_secret(key, b"told in all scenes, signed so...")
        connection.execute(_ADD_SECRET, {"key": key, "sealed": sealed})


def count_twice(told: dict[str, Any]) -> dict[str, int]:
    """Devices that were claimed more than once, by their results."""
    claimed = Counter(row[4] for row in told["outcomes"] if row[3] == 1)
    return {device: count for device, count in claimed.items() if count > 1}


def _is_busy(answer: httpx2.Response) -> bool:
    """Whether to ask again: the first request is not over, or its API died and left the key, or the upload was slow."""
    return answer.status_code == 408 or (answer.status_code == 409 and answer.json()["type"].endswith("in-flight"))


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
    scene.stage("confirm")
    scene.act(batch_id, "confirm")
    scene.wait_end(batch_id, "completed")


def rejected(scene: Scene) -> None:
    """An input that cannot be used."""
    scene.wait_end(scene.send(b""))


SCENARIOS = {each.__name__: each for each in (small, large, preview, rejected)}
