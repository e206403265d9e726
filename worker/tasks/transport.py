"""Celery's way to the broker, which bytes that are no message cannot end."""

from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis

_log = structlog.get_logger(__name__)

# What kombu raises for what cannot be a message; errors of the connection are none of these.
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)


class Channel(redis.Channel):
    """Drops what cannot be read; kombu lets its exception end the worker."""

    def _brpop_read(self, **options: Any) -> bool:  # noqa: ANN401  # kombu's own
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[misc]  # missing in its stubs
        except _UNREADABLE as error:
            _log.warning("message that cannot be read dropped", error=type(error).__name__)
            return True


class Transport(redis.Transport):
    """kombu's own with our channel."""

    Channel = Channel


def drop_unreadable() -> None:
    """From now on this process uses our transport; the names stay, as they are also the schemes of URLs."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
