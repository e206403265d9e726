"""Keys derived from the one secret: uploads and endpoints' secrets are encrypted, codes and tokens only ever hashed."""

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


@dataclass(frozen=True)
class Keys:
    """What the secret key of the settings is used for, one derived key for each purpose.

    A database that is read without the secret shows neither uploads nor claim codes.
    """

    _aead: AESGCM = field(repr=False)
    _code_key: bytes = field(repr=False)
    _secrets: AESGCM = field(repr=False)

    @classmethod
    def from_secret(cls, secret: bytes) -> "Keys":
        """`secret`: 32 bytes."""
        return cls(
            AESGCM(_derive(secret, b"uploads")),
            _derive(secret, b"claim codes"),
            AESGCM(_derive(secret, b"endpoint secrets")),
        )

    def encrypt_block(self, upload_key: int, number: int, data: bytes) -> bytes:
        """A nonce followed by the sealed block, bound to its place so that blocks cannot be exchanged."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, _place(upload_key, number))

    def decrypt_block(self, upload_key: int, number: int, sealed: bytes) -> bytes:
        """The block as it came.

        Raises:
            cryptography.exceptions.InvalidTag: another key sealed it, or it was changed.
        """
        view = memoryview(sealed)
        return self._aead.decrypt(view[:NONCE_BYTES], view[NONCE_BYTES:], _place(upload_key, number))

    def seal_secret(self, endpoint_key: int, secret: bytes) -> bytes:
        """A nonce followed by the sealed secret, bound to its endpoint."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._secrets.encrypt(nonce, secret, endpoint_key.to_bytes(8, "big"))

    def open_secret(self, endpoint_key: int, sealed: bytes) -> bytes:
        """The secret as it was made.

        Raises:
            cryptography.exceptions.InvalidTag: another key sealed it, or it was changed.
        """
        return self._secrets.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], endpoint_key.to_bytes(8, "big"))

    def hash_code(self, serial_number: str, code: str) -> bytes:
        """16 bytes that stand for a claim code; equal codes of two devices do not hash alike."""
        text = f"{serial_number}\0{code}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._code_key, digest_size=16).digest()


def hash_token(token: str) -> bytes:
    """32 bytes that stand for a bearer token; its 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, b"claimd " + purpose, "sha256")


def _place(upload_key: int, number: int) -> bytes:
    return upload_key.to_bytes(8, "big") + number.to_bytes(8, "big")
