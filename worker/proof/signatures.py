"""Public keys and what they have signed."""

import base64
import binascii
import json
from typing import Any

from worker.crypto import is_signed, key_id
from worker.proof.documents import Manifest, signed_bytes
from worker.proof.findings import Finding

PublicKey = bytes
KEY_BYTES = 32


def read_public_key(text: str) -> PublicKey:
    """A key as base64, or in the document that the API answers with.

    Raises:
        ValueError: it is neither.
    """
    stripped = text.strip()
    if stripped.startswith("{"):
        stripped = str(dict(json.loads(stripped)).get("public_key"))
    return _decode(stripped, KEY_BYTES)


def check_signature(document: dict[str, Any], manifest: Manifest, key: PublicKey | None) -> None:
    """Hold the manifest against its signature, which has to be of `key` if there is one.

    Raises:
        Finding: somebody else signed it, or it was changed.
    """
    try:
        own = _decode(manifest.public_key, KEY_BYTES)
        signature = base64.b64decode(manifest.signature, validate=True)
        signed = is_signed(key or own, signature, signed_bytes(document))
    except ValueError as error:
        raise Finding("The signature of the manifest cannot be read.") from error
    if key is not None and key != own:
        raise Finding(f"The manifest is signed by the key {key_id(own)}, not by the key that was given.")
    if not signed:
        raise Finding("The manifest was changed after it was signed.")
    if manifest.key_id != key_id(own):
        raise Finding("The manifest names another key than that which signed it.")


def _decode(text: str, size: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(data) != size:
        raise ValueError(f"{size} bytes are expected, these are {len(data)}")
    return data
