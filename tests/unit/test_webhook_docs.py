"""What docs/webhooks.md shows is what claimd does."""

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from worker.notifications.message import Message
from worker.notifications.payloads import webhook_body
from worker.notifications.signing import new_secret, show_secret, signed_headers
from worker.settings import Settings
from worker.states import EventType

DOCUMENT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The only example in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    return str(found)


@pytest.fixture
def is_genuine() -> Callable[[str, dict[str, str], bytes], bool]:
    """The function that receivers copy."""
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102  # our own page
    found: Callable[[str, dict[str, str], bytes], bool] = names["is_genuine"]
    return found


def test_the_function_shown_tells_genuine_messages_from_others(
    is_genuine: Callable[[str, dict[str, str], bytes], bool],
) -> None:
    secret, former, now = new_secret(), new_secret(), int(time.time())
    headers = signed_headers([secret, former], "evt_1", now, b"{}")
    assert is_genuine(show_secret(secret), headers, b"{}")
    assert is_genuine(show_secret(former), headers, b"{}")
    assert not is_genuine(show_secret(new_secret()), headers, b"{}")
    assert not is_genuine(show_secret(secret), headers, b"{ }")
    assert not is_genuine(show_secret(secret), {**headers, "webhook-id": "evt_2"}, b"{}")
    assert not is_genuine(show_secret(secret), signed_headers([secret], "evt_1", now - 600, b"{}"), b"{}")


def test_the_body_shown_is_the_body_sent() -> None:
    shown = json.loads(block("json"))
    data = {name: value for name, value in shown["data"].items() if name != "links"}
    at = datetime.fromisoformat(shown["timestamp"])
    message = Message("evt_1", shown["type"], at, "org_1", data, data["batch_id"])
    settings = Settings.model_validate({"public_url": "https://claimd.example.com"})
    assert json.loads(webhook_body(settings, message)) == shown


def test_every_event_is_listed() -> None:
    assert re.findall(r"^\| `([a-z.]+)` \|", DOCUMENT, re.MULTILINE) == list(EventType)
