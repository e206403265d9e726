"""Signed reports in files, and reports that somebody has laid hands on."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.claims import Sender
from worker.proof import MANIFEST, RESULTS, Verification, verify_report
from worker.reports import report_bundle
from worker.runtime import Runtime

Files = dict[str, bytes]


def save_bundle(runtime: Runtime, sender: Sender, batch_id: str, folder: Path) -> Path:
    """The bundle of a batch as a file."""
    path = folder / f"{batch_id}-report.zip"
    path.write_bytes(b"".join(report_bundle(runtime, sender.principal, batch_id)))
    return path


def proven(runtime: Runtime, sender: Sender, batch_id: str, folder: Path) -> Verification:
    """What is found out about the bundle of a batch."""
    return verify_report(save_bundle(runtime, sender, batch_id, folder))


def unpacked(bundle: Path) -> Files:
    """What the bundle holds."""
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Files, path: Path) -> Path:
    """A bundle of one's own."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def with_manifest(files: Files, change: Callable[[dict[str, Any]], None]) -> Files:
    """The files with another manifest."""
    manifest = json.loads(files[MANIFEST])
    change(manifest)
    return {**files, MANIFEST: json.dumps(manifest).encode()}


def with_results(files: Files, change: Callable[[list[bytes]], None]) -> Files:
    """The files with other results."""
    lines = files[RESULTS].splitlines(keepends=True)
    change(lines)
    return {**files, RESULTS: b"".join(lines)}
