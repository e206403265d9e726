"""The words of mails: a subject, plain text and HTML from the templates of an event's type."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from jinja2 import Environment, PackageLoader, select_autoescape

from worker.notifications.message import Attachment, Message
from worker.notifications.payloads import message_links
from worker.settings import Settings

_LONGEST_SUBJECT: Final = 150


@dataclass(frozen=True)
class Letter:
    """What a mail says; the subject is a single line."""

    subject: str
    text: str
    html: str


def write_letter(settings: Settings, message: Message, attached: Attachment | None = None) -> Letter:
    """The event in words; of batches also what is attached."""
    context = {
        "message": message,
        "data": message.data,
        "links": message_links(settings, message),
        "settings": settings,
        "attached": attached,
    }
    subject, text, html = (
        _templates.select_template(_names(message.type, part)).render(context) for part in ("subject", "txt", "html")
    )
    return Letter(_one_line(subject)[:_LONGEST_SUBJECT], text, html)


def _names(kind: str, part: str) -> Sequence[str]:
    """From the event's own template to that of its family, and to that of all events."""
    return [f"{kind}.{part}.j2", f"{kind.partition('.')[0]}.{part}.j2", f"event.{part}.j2"]


def _one_line(text: str) -> str:
    """What users have named cannot begin another header."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _moment(value: object) -> str:
    """A time of an event, in UTC to the minute."""
    return f"{datetime.fromisoformat(str(value)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


_templates = Environment(
    loader=PackageLoader("worker.notifications"),
    autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_templates.filters |= {"moment": _moment, "number": _number, "line": _one_line}
