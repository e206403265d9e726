"""Public identifiers: unguessable, and telling what they name."""

import base64
import secrets


def new_id(prefix: str) -> str:
    """`prefix`, an underscore and 20 characters with 100 random bits."""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(13)).decode('ascii')[:20].lower()}"
