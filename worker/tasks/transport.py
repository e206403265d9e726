"""Celery's way to the broker: what is no doorbell does not get through, as some of it would end the worker."""

import base64
import json
from typing import Annotated, Any, Final, Literal

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.states import Queue

_log = structlog.get_logger(__name__)

_QUEUES: Final = frozenset(queue.value for queue in Queue)
# What kombu raises for bytes that are no JSON; errors of the connection are none of these.
_UNREADABLE: Final = (ValueError, TypeError, ArithmeticError, RecursionError)
_LONGEST: Final = 10_000
_Limit = Annotated[float, Field(ge=1)]  # in seconds: beat sends those of its tasks


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Headers(_Part):
    """Those that Celery's main process works with; doorbells are never put off."""

    task: str
    id: str
    root_id: str | None = None
    parent_id: str | None = None
    group: None = None
    eta: None = None
    expires: None = None
    timelimit: list[_Limit | None] | None = Field(default=None, min_length=2, max_length=2)
    retries: int | None = None
    shadow: str | None = None
    origin: str | None = None
    argsrepr: str | None = None
    kwargsrepr: str | None = None
    stamped_headers: None = None
    stamps: dict[str, Any] | None = Field(default=None, max_length=0)
    compression: None = None


class _Properties(_Part):
    delivery_tag: str
    delivery_info: dict[str, Any]
    body_encoding: Literal["base64"]


class _Message(_Part):
    body: str = Field(max_length=_LONGEST)
    content_type: Literal["application/json"] = Field(alias="content-type")
    content_encoding: Literal["utf-8"] = Field(alias="content-encoding")
    headers: _Headers
    properties: _Properties


class _Embedded(_Part):
    callbacks: None = None
    errbacks: None = None
    chain: None = None
    chord: None = None


class _Body(_Part):
    """Celery sends these three as a list."""

    args: list[str] = Field(max_length=1)
    options: dict[str, Any] = Field(max_length=0)
    embedded: _Embedded


def is_doorbell(message: object) -> bool:
    """Whether this is what our own processes send."""
    try:
        args, options, embedded = json.loads(base64.b64decode(_Message.model_validate(message).body))
        _Body.model_validate({"args": args, "options": options, "embedded": embedded})
    except (ValidationError, *_UNREADABLE):
        return False
    return True


class Channel(redis.Channel):
    """Drops what cannot be read."""

    def _brpop_read(self, **options: Any) -> bool:  # noqa: ANN401  # kombu's own
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[misc]  # missing in its stubs
        except _UNREADABLE as error:
            _log.warning("message that cannot be read dropped", error=type(error).__name__)
            return True


class Transport(redis.Transport):
    """Drops what is no doorbell; remote control has a queue of its own."""

    Channel = Channel

    def _deliver(self, message: object, queue: str | None) -> None:
        if queue in _QUEUES and not is_doorbell(message):
            _log.warning("message that is no doorbell dropped", queue=queue)
            return
        super()._deliver(message, queue)


def drop_hostile_messages() -> None:
    """From now on this process uses our transport; the names stay, as they are also the schemes of URLs."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
