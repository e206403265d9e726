"""The manifest: what claimd states about a batch and signs."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.crypto import key_id
from worker.errors import NotFound, WrongState
from worker.principal import Principal
from worker.proof import FORMAT, RESULTS, signed_bytes
from worker.queries import batches
from worker.reports.access import ReadBatch, open_results
from worker.reports.jsonl import stream_jsonl
from worker.runtime import Runtime
from worker.times import rfc3339
from worker.version import __version__


@dataclass(frozen=True)
class Reported:
    """A batch whose report can be signed: its results are whole."""

    batch: ReadBatch
    view: RowMapping
    organization_id: str


class FileHash:
    """The facts of a file that is made and sent on at the same time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._hash = hashlib.sha256()
        self._bytes = 0

    def through(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The blocks, hashed on their way."""
        for block in blocks:
            self._hash.update(block)
            self._bytes += len(block)
            yield block

    def facts(self) -> dict[str, Any]:
        """What the manifest says of the file."""
        return {"file": self._name, "bytes": self._bytes, "sha256": self._hash.hexdigest()}


def signed_manifest(runtime: Runtime, principal: Principal, batch_id: str) -> dict[str, Any]:
    """The manifest of the results as this principal would download them now; reads all of them.

    Raises:
        NotFound, ResultsNotReady, ResultsPruned: as for the results.
        WrongState: the batch failed before its results were whole.
    """
    with runtime.transaction() as connection:
        reported = open_report(connection, principal, batch_id)
    results = FileHash(RESULTS)
    for _ in results.through(stream_jsonl(runtime, reported.batch)):
        pass
    return sign_manifest(runtime, reported, results.facts(), None)


def signing_key(runtime: Runtime) -> dict[str, str]:
    """The public key that manifests are signed with."""
    public = runtime.keys.public_key
    return {"algorithm": "Ed25519", "key_id": key_id(public), "public_key": base64.b64encode(public).decode()}


def open_report(connection: Connection, principal: Principal, batch_id: str) -> Reported:
    """The batch as it is to be signed.

    Raises:
        NotFound, ResultsNotReady, ResultsPruned: as for the results.
        WrongState: the batch failed before its results were whole.
    """
    batch = open_results(connection, principal, batch_id)
    view = batches.view_batch(connection, principal.organization_key, batch_id)
    if view is None:
        raise NotFound("There is no such batch.")
    if view["results_total"] is None:
        raise WrongState("The batch failed before its results were whole: resume it first.")
    return Reported(batch, view, principal.organization_id)


def sign_manifest(
    runtime: Runtime, reported: Reported, results: dict[str, Any], table: dict[str, Any] | None
) -> dict[str, Any]:
    """The manifest with its signature; `results` and `table` are the facts of the files beside it."""
    public = signing_key(runtime)
    document = {
        **_statements(reported.view),
        "format": FORMAT,
        "organization_id": reported.organization_id,
        "results": results,
        "results_csv": table,
        "claimd_version": __version__,
        "key_id": public["key_id"],
        "public_key": public["public_key"],
    }
    signature = runtime.keys.sign(signed_bytes(document))
    return {**document, "signature": base64.b64encode(signature).decode()}


def _statements(view: RowMapping) -> dict[str, Any]:
    return {
        "batch_id": view["public_id"],
        "operation": view["operation"],
        "mode": view["mode"],
        "preview": view["preview"],
        "state": view["state"],
        "project_id": view["project_id"],
        "parent": view["parent_id"],
        "rows_total": view["rows_total"],
        "results_total": view["results_total"],
        "failed_rows": view["failed_rows"] or 0,
        "totals": dict(view["totals"]),
        "input": {
            "source": view["source"],
            "file_name": view["file_name"],
            "bytes": view["input_bytes"],
            "sha256": view["input_sha256"].hex(),
        },
        "created_at": rfc3339(view["created_at"]),
        "finished_at": rfc3339(view["finished_at"]),
        "signed_at": rfc3339(view["now"]),
    }
