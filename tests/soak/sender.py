"""A client that asks again, under the same key, until it is answered."""

import random
import time
from typing import Any, Final
from uuid import uuid4

import httpx2

from tests.api.serving import Tenant
from tests.soak.tally import Tally

PATIENCE: Final = 300.0
_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
ENDS: Final = frozenset({"previewed", "completed", "rejected", "cancelled", "failed", "reverted"})


class Unanswered(Exception):
    """Nobody answered for five minutes."""


class Sender:
    """One organization's way to the API; `tally` is told how often it had to ask again."""

    def __init__(self, url: str, tenant: Tenant, tally: Tally, chance: random.Random) -> None:
        self.tenant = tenant
        self.tally = tally
        self.chance = chance
        self.batches = 0
        self._client = httpx2.Client(base_url=url, timeout=20, trust_env=False, headers=tenant.headers)

    def ask(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        """The answer, whatever it is.

        Raises:
            Unanswered: there was none in time.
        """
        headers = {"Idempotency-Key": str(uuid4())} | arguments.pop("headers", {})
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.tally.count("requests")
            try:
                answer = self._client.request(method, path, headers=headers, **arguments)
            except httpx2.TransportError:
                self.tally.retry("no answer")
            else:
                if not _is_busy(answer):
                    return answer
                self.tally.retry(str(answer.status_code))
            time.sleep(self.chance.uniform(0.1, 0.6))
        raise Unanswered(f"{method} {path}")

    def submit(self, path: str, **arguments: Any) -> str:
        """A batch's id; now and then the request is repeated, as if its answer had been lost."""
        arguments["headers"] = arguments.get("headers", {}) | {"Idempotency-Key": str(uuid4())}
        batch_id = self._accepted(self.ask("POST", path, **arguments))
        if self.chance.random() < 0.1:
            again = self._accepted(self.ask("POST", path, **arguments))
            if again != batch_id:
                self.tally.broke("twice", f"one request made {batch_id} and {again}")
        self.count_batch()
        return batch_id

    def act(self, batch_id: str, what: str) -> httpx2.Response:
        """Confirm, cancel, revert or resume."""
        return self.ask("POST", f"/v1/claim-batches/{batch_id}/{what}")

    def wait_end(self, batch_id: str, *, is_decided: bool = False) -> dict[str, Any]:
        """The batch once it has ended; where it has failed, it is resumed; once decided, it is no preview any more.

        Raises:
            Unanswered: it did not end.
        """
        deadline = time.monotonic() + PATIENCE
        pause = 0.05
        while time.monotonic() < deadline:
            document = self.look(batch_id)
            if document["state"] == "failed":
                self.tally.count("batches resumed after three deaths")
                self.act(batch_id, "resume")
            elif document["state"] in (ENDS - {"previewed"} if is_decided else ENDS):
                return document
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)
        raise Unanswered(f"the end of {batch_id}")

    def look(self, batch_id: str) -> dict[str, Any]:
        """The batch as it is."""
        return dict(self.ask("GET", f"/v1/claim-batches/{batch_id}").json())

    def count_batch(self) -> None:
        """One more was accepted."""
        self.batches += 1
        self.tally.count("batches")

    def close(self) -> None:
        self._client.close()

    def _accepted(self, answer: httpx2.Response) -> str:
        if answer.status_code != 202:
            raise AssertionError(f"{answer.request.url}: {answer.text}")
        return str(answer.json()["id"])


def _is_busy(answer: httpx2.Response) -> bool:
    if answer.status_code == 409:
        return str(answer.json()["type"]).endswith(("in-flight", "results-not-ready"))
    return answer.status_code in _BUSY
