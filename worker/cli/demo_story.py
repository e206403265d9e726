"""What `claimd demo` does as a client, step by step."""

import csv
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from worker.accounts import create_organization, create_project, create_token
from worker.cli.client import Api, batch_path, connected
from worker.cli.demo_screen import Screen
from worker.cli.downloads import save
from worker.cli.failures import ServerRefused
from worker.cli.local import local_runtime
from worker.demo.goods import DEVICES, KITS, Lot
from worker.demo.order import FILE_NAME, OWN_KITS, SISTER_KITS, STRANGER_KITS, order
from worker.embedded.instance import Addresses
from worker.errors import EnvironmentProblem
from worker.operations.verify import verify
from worker.runtime import Runtime
from worker.states import RUNNING, BatchState, Role

SHOWN: Final = 10
_LOOK_SECONDS: Final = 0.05
_NOT_FOUND: Final = 404


@dataclass(frozen=True)
class Told:
    """What came of the demo order."""

    batch: Mapping[str, Any]
    failed: Sequence[Mapping[str, str]]  # the first failed rows of the report
    report: Path

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
        with self._connected(self._at.token) as api, local_runtime(self._data_dir) as runtime:
            lot = _new_lot(api)
            self._import(api, lot)
            self._claim_before(api, runtime, lot)
            batch = self._upload(api, lot)
            told = self._read(api, self._wait(api, batch))
            self._verify(runtime)
            return told

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
                (api, _claim_kits(api, sister["id"], lot, SISTER_KITS)),
                (api, _claim_kits(api, self._at.project_id, lot, OWN_KITS)),
                (their_api, _claim_kits(their_api, theirs["id"], lot, STRANGER_KITS)),
            ]
            claimed = sum(_end_of(each, batch)["results_total"] for each, batch in batches)
        self._screen.end(f"Claimed {claimed} of them for other projects, as on any other day")

    def _upload(self, api: Api, lot: Lot) -> dict[str, Any]:
        self._screen.begin(f"Uploading {FILE_NAME}")
        body = order(lot)
        headers = {"Content-Type": "text/csv", "Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
        batch = api.upload(_batches_of(self._at.project_id), iter([body]), headers, {"reference": "demo"})
        self._screen.end(f"Uploaded {FILE_NAME}, {len(body) / 1000:.0f} kB, by POST: 202 Accepted")
        return batch

    def _wait(self, api: Api, batch: Mapping[str, Any]) -> dict[str, Any]:
        with self._screen.progress() as show:
            for seen in _looks(api, str(batch["id"])):
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

    def _verify(self, runtime: Runtime) -> None:
        self._screen.begin("Checking every invariant of the database")
        broken = verify(runtime)
        if broken:
            raise EnvironmentProblem(f"An invariant is broken: {broken[0].invariant}: {broken[0].detail}")
        self._screen.end("Checked every invariant of the database")


def _new_lot(api: Api) -> Lot:
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


def _claim_kits(api: Api, project_id: str, lot: Lot, kits: Sequence[int]) -> dict[str, Any]:
    body = json.dumps({"kit_ids": [lot.kit_id(kit) for kit in kits]}).encode()
    return api.upload(_batches_of(project_id), iter([body]), {"Content-Type": "application/json"}, {})


def _batches_of(project_id: str) -> str:
    return f"/v1/projects/{quote(project_id, safe='')}/claim-batches"


def _end_of(api: Api, batch: Mapping[str, Any]) -> dict[str, Any]:
    *_, last = _looks(api, str(batch["id"]))
    return last


def _looks(api: Api, batch_id: str) -> Iterator[dict[str, Any]]:
    """The batch again and again until nothing more happens to it."""
    while True:
        seen = api.get(batch_path(batch_id))
        yield seen
        if seen["state"] not in RUNNING:
            return
        time.sleep(_LOOK_SECONDS)


def _writable(report: Path, batch_id: str) -> Path:
    """The report's path or, where this folder cannot be written to, one that can."""
    if report.is_absolute() or os.access(report.absolute().parent, os.W_OK):
        return report
    return Path(tempfile.gettempdir()) / f"{report.stem}-{batch_id}.csv"


def _records(body: Iterator[bytes]) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(b"".join(body).decode("utf-8-sig"), newline=""))
