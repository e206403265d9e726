"""What `claimd demo` does as a client, step by step."""

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from worker.accounts import create_organization, create_project, create_token
from worker.cli.client import Api, batch_path, connected
from worker.cli.demo_client import batches_of, claim_kits, end_of, looks, new_lot, told_by_webhook
from worker.cli.demo_screen import Screen
from worker.cli.downloads import save
from worker.cli.local import local_runtime
from worker.demo.goods import DEVICES, KIT_SIZE, KITS, ONE_OF_EACH, Lot, devices_of
from worker.demo.order import FILE_NAME, OWN_KITS, SISTER_KITS, STRANGER_KITS, UNWANTED_KITS, order
from worker.demo.receiver import Receiver
from worker.embedded.instance import Addresses
from worker.errors import EnvironmentProblem
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.settings import Settings
from worker.states import BatchState, EventType, PeriodicTask, Role
from worker.tasks.doorbell import CeleryDoorbell

SHOWN: Final = 8
_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Told:
    """What came of the demo order."""

    batch: Mapping[str, Any]
    failed: Sequence[Mapping[str, str]]  # the first failed rows of the report
    report: Path
    webhooks: Sequence[Mapping[str, Any]] = ()
    devices: Sequence[Mapping[str, Any]] = ()  # one for each number of prepaid months

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "batch": dict(self.batch), "report": str(self.report)}


class Story:
    """One lot of goods, one order of them."""

    def __init__(self, addresses: Addresses, data_dir: Path, screen: Screen, report: Path) -> None:
        self._at = addresses
        self._data_dir = data_dir
        self._screen = screen
        self._report = report

    def tell(self) -> Told:
        """Import, claim, report.

        Raises:
            ClaimdError: something did not go as it should.
        """
        with self._connected(self._at.token) as api, local_runtime(self._data_dir) as runtime, Receiver() as receiver:
            lot = new_lot(api)
            self._import(api, lot)
            self._claim_before(api, runtime, lot)
            with told_by_webhook(api, self._at.organization_id, receiver):
                self._regret(api, lot)
                told = self._read(api, self._wait(api, self._upload(api, lot)))
                completed = self._hear(api, receiver, told.batch)
                activated = self._activate(api, runtime, receiver, told.batch)
            self._verify(runtime)
            devices = [api.get(f"/v1/devices/{lot.device_id(devices_of(kit)[0])}") for kit in ONE_OF_EACH]
            return replace(told, webhooks=(completed, activated), devices=devices)

    def _connected(self, token: str) -> AbstractContextManager[Api]:
        return connected(self._data_dir, self._at.api_url, token)

    def _import(self, api: Api, lot: Lot) -> None:
        self._screen.begin("Importing the inventory")
        found = api.upload("/v1/inventory-imports", lot.inventory(), {"Content-Type": "text/csv"}, {})
        if found["devices_new"] != DEVICES:
            raise EnvironmentProblem(f"Somebody else imported the demo inventory {lot.number} at the same time.")
        self._screen.end(f"Imported {DEVICES:,} devices in {KITS} kits")

    def _claim_before(self, api: Api, runtime: Runtime, lot: Lot) -> None:
        """Some devices have holders already: a sister project, a stranger, and the project itself."""
        self._screen.begin("Claiming some devices for others")
        sister = create_project(runtime, self._at.organization_id, f"spare parts {lot.number}")
        stranger = create_organization(runtime, f"somebody else {lot.number}")
        theirs = create_project(runtime, stranger["id"], "theirs")
        token = create_token(runtime, stranger["id"], "demo", [Role.ORGANIZATION_ADMIN])
        with self._connected(token.secret) as their_api:
            batches = [
                (api, claim_kits(api, sister["id"], lot, SISTER_KITS)),
                (api, claim_kits(api, self._at.project_id, lot, OWN_KITS)),
                (their_api, claim_kits(their_api, theirs["id"], lot, STRANGER_KITS)),
            ]
            claimed = sum(end_of(each, batch)["results_total"] for each, batch in batches)
        self._screen.end(f"Claimed {claimed} of them for other projects, as on any other day")

    def _regret(self, api: Api, lot: Lot) -> None:
        """Within its hold window, before any prepaid time is spent, a batch can be undone."""
        self._screen.begin("Claiming a kit by mistake")
        mistake = end_of(api, claim_kits(api, self._at.project_id, lot, UNWANTED_KITS))
        undone = end_of(api, api.post(batch_path(mistake["id"], "revert")))
        if undone["totals"] != {"released": KIT_SIZE}:
            raise EnvironmentProblem(f"The revert ended {undone['state']}: {undone['totals']}")
        self._screen.end(f"Claimed a kit by mistake, and reverted that: {KIT_SIZE} devices are free again")

    def _upload(self, api: Api, lot: Lot) -> dict[str, Any]:
        self._screen.begin(f"Uploading {FILE_NAME}")
        body = order(lot)
        headers = {"Content-Type": "text/csv", "Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
        batch = api.upload(batches_of(self._at.project_id), iter([body]), headers, {"reference": "demo"})
        self._screen.end(f"Uploaded {FILE_NAME}, {len(body) / 1000:.0f} kB, by POST: 202 Accepted")
        return batch

    def _wait(self, api: Api, batch: Mapping[str, Any]) -> dict[str, Any]:
        with self._screen.progress() as show:
            for seen in looks(api, str(batch["id"])):
                show(seen)
        if seen["state"] != BatchState.COMPLETED:
            raise EnvironmentProblem(f"The batch ended {seen['state']}: {seen['problem']}")
        self._screen.end(f"Worked off {seen['rows_total']:,} rows, {seen['results_total']:,} devices, as Celery tasks")
        return seen

    def _read(self, api: Api, batch: Mapping[str, Any]) -> Told:
        self._screen.begin("Reading the report")
        path = _writable(self._report, str(batch["id"]))
        with api.download(batch_path(batch["id"], "results.csv")) as body:
            save(body, path)
        with api.download(batch_path(batch["id"], "results.csv"), only="failed") as body:
            failed = list(islice(_records(body), SHOWN))
        self._screen.end("Downloaded the report")
        return Told(batch, failed, path.absolute())

    def _hear(self, api: Api, receiver: Receiver, batch: Mapping[str, Any]) -> dict[str, Any]:
        self._screen.begin("Waiting for the webhook")
        is_there = partial(api.get, batch_path(batch["id"]))
        message = receiver.wait_for(EventType.BATCH_COMPLETED, batch["id"], _PATIENCE_SECONDS, is_there)
        self._screen.end("Received batch.completed as a webhook, and checked its signature")
        return message

    def _activate(self, api: Api, runtime: Runtime, receiver: Receiver, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Beat asks for this once a minute; here it is asked for all the time."""
        self._screen.begin("Waiting for the end of the hold window")
        with _ringing(runtime.settings) as doorbell:

            def ask() -> None:
                api.get(batch_path(batch["id"]))
                doorbell.nudge(PeriodicTask.ACTIVATE)

            message = receiver.wait_for(EventType.SUBSCRIPTIONS_ACTIVATED, batch["id"], _PATIENCE_SECONDS, ask)
        devices = message["data"]["activated"]
        self._screen.end(f"Activated {devices:,} subscriptions, and received subscriptions.activated")
        return message

    def _verify(self, runtime: Runtime) -> None:
        self._screen.begin("Checking every invariant of the database")
        broken = verify(runtime)
        if broken:
            raise EnvironmentProblem(f"An invariant is broken: {broken[0].invariant}: {broken[0].detail}")
        self._screen.end("Checked every invariant of the database")


@contextmanager
def _ringing(settings: Settings) -> Iterator[CeleryDoorbell]:
    doorbell = CeleryDoorbell(settings)
    try:
        yield doorbell
    finally:
        doorbell.close(1.0)


def _writable(report: Path, batch_id: str) -> Path:
    """The report's path or, where this folder cannot be written to, one that can."""
    if report.is_absolute() or os.access(report.absolute().parent, os.W_OK):
        return report
    return Path(tempfile.gettempdir()) / f"{report.stem}-{batch_id}.csv"


def _records(body: Iterator[bytes]) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(b"".join(body).decode("utf-8-sig"), newline=""))
