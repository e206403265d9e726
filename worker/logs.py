"""Logging: JSON in production, readable on a terminal, one format for our own and all libraries' lines."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

from worker.settings import Settings

_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):[^\s/@]+(?=@)")
# What these say below a warning is said better by claimd's own lines, or by Flower.
_QUIET = ("alembic", "celery.app.trace", "celery.beat", "celery.worker.strategy", "kombu", "tornado.access")


def configure_logging(settings: Settings) -> None:
    """Send every logger of this process to standard error in the format that the settings ask for."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_shared(), ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(_as_json(settings)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


@contextmanager
def bind(**ids: object) -> Iterator[None]:
    """Put `ids` (request_id, batch_id, chunk, …) into every line that is logged in the block."""
    with structlog.contextvars.bound_contextvars(**ids):
        yield


def mask_passwords(text: str) -> str:
    """The text with `***` for the password of every URL in it."""
    return _PASSWORD.sub(r"\1:***", text)


def _as_json(settings: Settings) -> bool:
    if settings.log_format == "auto":
        return not sys.stderr.isatty()
    return settings.log_format == "json"


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(as_json: bool) -> ProcessorFormatter:
    ending: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    return ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[ProcessorFormatter.remove_processors_meta, *ending, _mask],
    )


def _mask(_logger: WrappedLogger, _name: str, line: EventDict | str) -> str:
    # The last step: the renderer before it has made the line.
    return mask_passwords(str(line))
