"""Twenty clients, a fault every few seconds, and the judgement at the end."""

import random
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.api.serving import make_tenant
from tests.receiver import Received, Receiver, running_receiver
from tests.soak.client import Client
from tests.soak.ending import judge, settle
from tests.soak.faults import Faults
from tests.soak.installation import Installation
from tests.soak.sender import Sender
from tests.soak.tally import Tally
from tests.soak.trouble import make_trouble
from tests.soak.world import LOT, MOST, World, lot_csv
from worker.runtime import Runtime, build_runtime
from worker.states import EventType
from worker.tasks.doorbell import CeleryDoorbell

CLIENTS: Final = 20
PROBES: Final = 4
_FIRST_LOTS: Final = 3
_FULL: Final = 0.6
_TOLD: Final = sorted(set(EventType) - {EventType.DIGEST_DAILY, EventType.PING})


class _Ids(list[Received]):
    """Of what was received, without the bodies and the repetitions: half an hour of it would be much."""

    def append(self, received: Received) -> None:
        known = self.__dict__.setdefault("known", set())
        if received.event_id not in known:
            known.add(received.event_id)
            super().append(Received(received.path, {"webhook-id": received.event_id}, b""))


class Soak:
    """One run."""

    def __init__(self, minutes: float, seed: str, say: Callable[[str], None]) -> None:
        self.tally = Tally()
        self._minutes = minutes
        self._seed = seed
        self._say = say
        self._world = World(CLIENTS + PROBES)
        self._over = threading.Event()

    def run(self, folder: Path) -> None:
        """All of it; in the main thread, whose children the programs are."""
        installation = Installation(folder, self._say)
        with running_receiver() as receiver, installation.supervisor:
            receiver.received = _Ids()
            installation.start()
            conductor = threading.Thread(target=self._conduct, args=(installation, receiver))
            conductor.start()
            installation.supervisor.run(until=lambda: not conductor.is_alive())
            self._over.set()
            conductor.join()

    def _conduct(self, installation: Installation, receiver: Receiver) -> None:
        runtime = build_runtime(installation.settings, CeleryDoorbell(installation.settings))
        try:
            clients = [self._client(number, installation, runtime, receiver) for number in range(CLIENTS + PROBES)]
            self._load(installation, clients)
            self._say("no more faults: waiting for the end of all that was begun")
            settle(runtime, self.tally)
            judge(runtime, self._world, clients, receiver, self.tally)
        except Exception:  # noqa: BLE001  # told at the end, with all else
            self.tally.broke("unexpected", traceback.format_exc())
        finally:
            runtime.doorbell.close(timeout=1)
            runtime.close()

    def _client(self, number: int, installation: Installation, runtime: Runtime, receiver: Receiver) -> Client:
        """With an organization of its own, which is told of everything."""
        sender = Sender(installation.url, make_tenant(runtime), self.tally, self._chance(f"client {number}"))
        path = f"/v1/organizations/{sender.tenant.organization_id}/endpoints"
        wish = {"target": f"{receiver.url}/{number}", "events": _TOLD, "description": "soak"}
        answer = sender.ask("POST", path, json=wish)
        assert answer.is_success, answer.text
        return Client(number, self._world, sender)

    def _load(self, installation: Installation, clients: list[Client]) -> None:
        grower = clients[0].sender
        for _ in range(_FIRST_LOTS):
            self._grow(grower)
        faults = Faults(installation, self._chance("faults"))
        chance = self._chance("trouble")
        trouble = (make_trouble, faults, clients[CLIENTS:], chance, self._over.is_set)
        threads = [threading.Thread(target=trouble[0], args=trouble[1:])]
        threads += [threading.Thread(target=each.run, args=(self._over.is_set,)) for each in clients[:CLIENTS]]
        for thread in threads:
            thread.start()
        self._keep_going(grower)
        for thread in threads:
            thread.join()
        faults.close()

    def _keep_going(self, grower: Sender) -> None:
        """Until the time is over; when most devices are held, more are imported."""
        began = time.monotonic()
        told = began
        while time.monotonic() < began + self._minutes * 60 and not self._over.wait(2):
            if self._world.share_held() > _FULL and self._world.size + LOT <= MOST:
                self._grow(grower)
            if time.monotonic() > told + 60:
                told = time.monotonic()
                self._say(f"{(told - began) / 60:.0f} min: {self.tally.summary()}")
        self._over.set()

    def _grow(self, grower: Sender) -> None:
        content, headers = lot_csv(self._world.size // LOT), {"Content-Type": "text/csv"}
        answer = grower.ask("POST", "/v1/inventory-imports", content=content, headers=headers)
        assert answer.is_success, answer.text
        self._world.grow()

    def _chance(self, whose: str) -> random.Random:
        return random.Random(f"{self._seed} {whose}")  # noqa: S311  # no secret
