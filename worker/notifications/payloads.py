"""The bodies of webhooks: small, with links to all that does not fit."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from worker.notifications.message import Message
from worker.settings import Settings
from worker.states import EventType
from worker.times import rfc3339

MOST_BYTES: Final = 20_000
# How much of each list is kept, until the body is small enough; of texts, ten times as many characters.
_KEPT: Final = (500, 200, 100, 50, 20, 10, 5, 1)
_OF_BATCH: Final = {
    "batch": "",
    "results": "/results",
    "results_csv": "/results.csv",
    "results_jsonl": "/results.jsonl",
    "failed_rows_csv": "/results.csv?only=failed",
    "report": "/report.zip",
}


def webhook_body(settings: Settings, message: Message) -> bytes:
    """The event as JSON of less than 20 kB; where something was cut, its data say `"truncated": true`."""
    links = message_links(settings, message)
    data = _in_utc(message.data)
    body = _body(message, {**data, "links": links})
    for most in _KEPT:
        if len(body) < MOST_BYTES:
            return body
        body = _body(message, {**_cut(data, most), "truncated": True, "links": links})
    return body if len(body) < MOST_BYTES else _body(message, {"truncated": True, "links": links})


def message_links(settings: Settings, message: Message) -> dict[str, str]:
    """Where more is to be read about it, with a token."""
    base = f"{settings.public_base}/v1"
    links = {}
    if message.type.startswith("subscriptions."):
        links["subscriptions"] = f"{base}/organizations/{message.organization_id}/subscriptions"
    if message.type == EventType.DIGEST_DAILY:
        digest = f"{base}/organizations/{message.organization_id}/digests/{message.data['date']}"
        links |= {"digest": digest, "digest_csv": f"{digest}.csv"}
    if message.batch_id is not None:
        links |= {name: f"{base}/claim-batches/{message.batch_id}{path}" for name, path in _OF_BATCH.items()}
    return links


def _body(message: Message, data: Mapping[str, Any]) -> bytes:
    return to_json({"type": message.type, "timestamp": rfc3339(message.occurred_at), "data": data})


def _in_utc(data: Mapping[str, Any]) -> dict[str, Any]:
    """The database writes times in the zone of its session."""
    return {name: _moment(value) if name.endswith(("_at", "_until")) else value for name, value in data.items()}


def _moment(value: object) -> object:
    try:
        return rfc3339(datetime.fromisoformat(value)) if isinstance(value, str) else value
    except ValueError:
        return value


def _cut(value: Any, most: int) -> Any:  # noqa: ANN401  # whatever JSON holds
    if isinstance(value, Mapping):
        return {name: _cut(each, most) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(each, most) for each in value[:most]]
    return value[: 10 * most] if isinstance(value, str) else value
