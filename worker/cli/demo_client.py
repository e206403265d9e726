"""What `claimd demo` asks of the API, as any client would."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from worker.cli.client import Api, batch_path
from worker.cli.failures import ServerRefused
from worker.demo.goods import Lot
from worker.demo.receiver import Receiver
from worker.states import RUNNING, EventType

EVENTS: Final = (EventType.BATCH_COMPLETED, EventType.SUBSCRIPTIONS_ACTIVATED)
_LOOK_SECONDS: Final = 0.05
_NOT_FOUND: Final = 404


def new_lot(api: Api) -> Lot:
    """The first lot that the inventory does not have: with a kept data folder, each run has new goods."""
    number = 1
    while _is_known(api, Lot(number).kit_id(1)):
        number += 1
    return Lot(number)


def _is_known(api: Api, identifier: str) -> bool:
    try:
        api.get("/v1/claim-info", identifier=identifier)
    except ServerRefused as refused:
        if refused.problem.get("status") == _NOT_FOUND:
            return False
        raise
    return True


def claim_kits(api: Api, project_id: str, lot: Lot, kits: Sequence[int]) -> dict[str, Any]:
    """A batch that claims whole kits."""
    body = json.dumps({"kit_ids": [lot.kit_id(kit) for kit in kits]}).encode()
    return api.upload(batches_of(project_id), iter([body]), {"Content-Type": "application/json"}, {})


def batches_of(project_id: str) -> str:
    """Where batches for a project are posted to."""
    return f"/v1/projects/{quote(project_id, safe='')}/claim-batches"


def end_of(api: Api, batch: Mapping[str, Any]) -> dict[str, Any]:
    """The batch once nothing more happens to it."""
    *_, last = looks(api, str(batch["id"]))
    return last


def looks(api: Api, batch_id: str) -> Iterator[dict[str, Any]]:
    """The batch again and again until nothing more happens to it."""
    while True:
        seen = api.get(batch_path(batch_id))
        yield seen
        if seen["state"] not in RUNNING:
            return
        time.sleep(_LOOK_SECONDS)


@contextmanager
def told_by_webhook(api: Api, organization_id: str, receiver: Receiver) -> Iterator[None]:
    """Have the receiver told what happens, for as long as it listens."""
    wish = {"target": receiver.url, "events": EVENTS, "description": "claimd demo"}
    endpoint = api.post_document(f"/v1/organizations/{quote(organization_id, safe='')}/endpoints", wish)
    receiver.trust(endpoint["secret"])
    try:
        yield
    finally:
        api.delete(endpoint["links"]["self"])
