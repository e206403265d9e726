"""A whole claimd on servers of its own, all of which may be broken; and doings that must end as if none had been."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import redis
from sqlalchemy import text

from tests.crash.faults.proxy import Proxy
from tests.crash.scene import SECONDS, Scene, count_twice, large, new_scene
from tests.crash.system import System
from worker.embedded.broker import EmbeddedBroker
from worker.embedded.postgres import EmbeddedPostgres
from worker.operations.verify import verify
from worker.runtime import Runtime

Doing = Callable[[Scene], None]
APPLYING = "worker.batches.steps.apply:before"
"""In the middle of a chunk: its claims are written, and not committed."""

_ATTEMPTS = text("""
    select w.attempts from work_item w join organization o on o.key = w.organization_key
    where o.public_id = :organization""")


class PatientScene(Scene):
    """Asks again also when it is told that claimd cannot work at the moment."""

    def attempts(self) -> set[int]:
        """How often its work items were taken, as far as it counts."""
        with self.runtime.transaction() as connection:
            found = connection.execute(_ATTEMPTS, {"organization": self.tenant.organization_id})
            return set(found.scalars())

    def request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(uuid4())} | arguments.pop("headers", {})
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return super().request(method, path, headers=headers, **arguments)
            except AssertionError as refused:
                if '"status":503' not in str(refused) or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)


@dataclass
class Fragile:
    """The processes, the servers, and the networks between them."""

    system: System
    runtime: Runtime
    """Of the test: it goes past the networks."""
    broker: EmbeddedBroker
    postgres: EmbeddedPostgres
    networks: dict[str, Proxy]
    _told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def new_scene(self) -> PatientScene:
        plain = new_scene(self.runtime, self.system.api_url)
        return PatientScene(plain.runtime, plain.api_url, plain.tenant, plain.prefix)

    def broker_client(self) -> redis.Redis:
        """A connection to the broker, past the network."""
        return redis.Redis.from_url(self.broker.url)

    @contextmanager
    def carrying_out(self, doing: Doing = large, held_at: str | None = None) -> Iterator[PatientScene]:
        """Someone's doing while the block breaks things: in the end all is as if they had stayed whole.

        The block begins when a process has come to the place `held_at`, which it leaves when the block ends.
        """
        expected, scene, places = self.undisturbed(doing), self.new_scene(), self.system.places
        if held_at:
            places.arm(held_at)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(doing, scene)
            if held_at:
                places.wait_held(held_at)
            try:
                yield scene
            finally:
                if held_at:
                    places.release(held_at)
            done.result()
        self.assert_told(scene, expected)

    def assert_told(self, scene: Scene, expected: dict[str, Any]) -> None:
        """Everything is done, as expected, once, and in order."""
        scene.settle()
        told = scene.told()
        assert told == expected
        assert count_twice(told) == {}
        assert verify(self.runtime) == []

    def undisturbed(self, doing: Doing) -> dict[str, Any]:
        """What a doing comes to when nothing happens to it."""
        if doing.__name__ not in self._told:
            scene = self.new_scene()
            doing(scene)
            scene.settle()
            self._told[doing.__name__] = scene.told()
        return self._told[doing.__name__]

    def celery(self) -> int:
        """The pid of Celery's main process."""
        return self.system.programs["worker"].celery.pid

    def mend(self) -> None:
        """What every test may rely on."""
        for network in self.networks.values():
            network.heal()
        for name, program in self.system.programs.items():
            if program.process.poll() is not None:
                self.system.restart(name)
