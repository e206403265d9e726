"""Signed reports, and their proof by anyone who has the files: no server, no database, no settings."""

from worker.proof.documents import FORMAT, RESULTS, TABLE, Manifest, canonical, signed_bytes
from worker.proof.files import MANIFEST
from worker.proof.findings import Finding
from worker.proof.signatures import PublicKey, read_public_key
from worker.proof.verification import Verification, verify_report

__all__ = [
    "FORMAT",
    "MANIFEST",
    "RESULTS",
    "TABLE",
    "Finding",
    "Manifest",
    "PublicKey",
    "Verification",
    "canonical",
    "read_public_key",
    "signed_bytes",
    "verify_report",
]
