"""Secrets of endpoints are stored so that nothing but their endpoint and our key opens them."""

import base64

import pytest
from cryptography.exceptions import InvalidTag

from worker.crypto import Keys
from worker.notifications.signing import new_secret, show_secret, signed_headers

KEYS, OTHERS = Keys.from_secret(b"k" * 32), Keys.from_secret(b"o" * 32)


def test_a_secret_is_opened_by_its_key_for_its_endpoint_only() -> None:
    secret = new_secret()
    sealed = KEYS.seal_secret(7, secret)
    assert secret not in sealed
    assert sealed != KEYS.seal_secret(7, secret)
    assert KEYS.open_secret(7, sealed) == secret
    for keys, endpoint, data in (
        (KEYS, 8, sealed),
        (OTHERS, 7, sealed),
        (KEYS, 7, sealed[:-1] + bytes([sealed[-1] ^ 1])),
    ):
        with pytest.raises(InvalidTag):
            keys.open_secret(endpoint, data)


def test_a_secret_is_shown_as_the_specification_has_it() -> None:
    secret = new_secret()
    assert len(secret) == 32
    assert base64.b64decode(show_secret(secret).removeprefix("whsec_"), validate=True) == secret


def test_signatures_agree_with_the_specifications_library() -> None:
    """The vector is that of its tests."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    key, body = base64.b64decode(secret.removeprefix("whsec_")), b'{"test": 2432232314}'
    headers = signed_headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
