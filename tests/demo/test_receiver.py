"""The receiver of `claimd demo` believes only what is signed with its secret."""

import json
import time

import pytest

from worker.demo.receiver import Receiver
from worker.errors import EnvironmentProblem
from worker.notifications.signing import new_secret, show_secret, signed_headers

BODY = json.dumps({"type": "batch.completed", "data": {"batch_id": "bat_1"}}).encode()


def test_only_messages_with_the_right_signature_are_heard() -> None:
    secret, former = new_secret(), new_secret()
    with Receiver() as receiver:
        receiver.trust(show_secret(secret))
        now = int(time.time())
        assert not receiver.take({}, BODY)
        assert not receiver.take(signed_headers([former], "evt_1", now, BODY), BODY)
        assert not receiver.take(signed_headers([secret], "evt_1", now, BODY), BODY + b" ")
        with pytest.raises(EnvironmentProblem, match=r"No webhook batch\.completed"):
            receiver.wait_for("batch.completed", "bat_1", 0.01)
        assert receiver.take(signed_headers([former, secret], "evt_1", now, BODY), BODY)
        assert receiver.wait_for("batch.completed", "bat_1", 1)["data"] == {"batch_id": "bat_1"}
