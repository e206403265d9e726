"""Keys derived from the one secret: uploads and endpoints' secrets are encrypted, codes and tokens only ever hashed."""

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
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
    _signing: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_secret(cls, secret: bytes) -> "Keys":
        """`secret`: 32 bytes."""
        return cls(
            AESGCM(_derive(secret, b"uploads")),
            _derive(secret, b"claim codes"),
            AESGCM(_derive(secret, b"endpoint secrets")),
            Ed25519PrivateKey.from_private_bytes(_derive(secret, b"manifests")),
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

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._signing.sign(data)

    @property
    def public_key(self) -> bytes:
        """32 bytes with which anyone can check what was signed."""
        return self._signing.public_key().public_bytes_raw()

    def hash_code(self, serial_number: str, code: str) -> bytes:
        """16 bytes that stand for a claim code; equal codes of two devices do not hash alike."""
        text = f"{serial_number}\0{code}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._code_key, digest_size=16).digest()


def is_signed(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the holder of the key signed exactly this.

    Raises:
        ValueError: the key is none.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def key_id(public_key: bytes) -> str:
    """By what people tell keys apart: 32 hexadecimal digits."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def hash_token(token: str) -> bytes:
    """32 bytes that stand for a bearer token; its 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, b"claimd " + purpose, "sha256")


def _place(upload_key: int, number: int) -> bytes:
    return upload_key.to_bytes(8, "big") + number.to_bytes(8, "big")
