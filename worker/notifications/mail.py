"""Mail: one message to one address, as plain text and HTML, with the rows that failed attached."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from worker.notifications.letters import write_letter
from worker.notifications.message import Answer, Attachment, Message, Target
from worker.settings import Settings

TIME_OUT: Final = timedelta(seconds=60)
_LONGEST_ERROR: Final = 500
_ANSWER_SECONDS: Final = 30.0
_ACCEPTED: Final = 250


# By the key of an endpoint and a batch: the rows that failed, as far as that endpoint may see them.
FailedRows = Callable[[int, str], Attachment | None]


class Mailer:
    """Sends mail by the server of the settings."""

    def __init__(self, settings: Settings, failed_rows: FailedRows, trust: ssl.SSLContext | None = None) -> None:
        """`failed_rows` makes attachments, in a thread; `trust` stands in for the machine's own certificates."""
        self._settings = settings
        self._failed_rows = failed_rows
        self._trust = trust
        # Each attachment reads a whole report: one after the other.
        self._reading = asyncio.Lock()

    async def send(self, target: Target, message: Message) -> Answer:
        """Send `message` once; whatever the server says is an answer."""
        if self._settings.smtp_url is None:
            return _failure("no mail server is set: CLAIMD_SMTP_URL")
        try:
            async with asyncio.timeout(TIME_OUT.total_seconds()):
                attached = await self._attachment(target, message)
                mail = _compose(self._settings, target, message, attached)
                await self._hand_over(mail, urlsplit(self._settings.smtp_url.get_secret_value()))
        except SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            return _failure(refused.message, refused.code)
        except SMTPResponseException as error:
            return _failure(error.message, error.code)
        except (SMTPException, OSError) as error:
            return _failure(str(error) or f"no answer within {TIME_OUT.total_seconds():g} seconds")
        return Answer(delivered=True, status=_ACCEPTED, error=None)

    async def _attachment(self, target: Target, message: Message) -> Attachment | None:
        if message.batch_id is None or not message.data.get("failed_rows"):
            return None
        async with self._reading:
            return await asyncio.to_thread(self._failed_rows, target.endpoint_key, message.batch_id)

    async def _hand_over(self, mail: EmailMessage, server: SplitResult) -> None:
        await aiosmtplib.send(
            mail,
            hostname=server.hostname,
            port=server.port,
            username=unquote(server.username) if server.username else None,
            password=unquote(server.password or "") if server.username else None,
            use_tls=server.scheme == "smtps",
            # A password is never sent in clear; without one, TLS is used where it is offered.
            start_tls=True if server.username and server.scheme == "smtp" else None,
            tls_context=self._trust,
            timeout=_ANSWER_SECONDS,
        )


def _compose(settings: Settings, target: Target, message: Message, attached: Attachment | None) -> EmailMessage:
    letter = write_letter(settings, message, attached)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = settings.mail_from
    mail["To"] = target.target
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    # The same at every attempt, so that a repeated mail can be told from another one.
    mail["Message-ID"] = f"<{message.event_id}.{target.endpoint_key}@{_domain(settings.mail_from)}>"
    mail["X-Claimd-Event"] = message.event_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    mail.add_alternative(letter.html, subtype="html")
    if attached is not None:
        params = {"charset": "utf-8"}
        mail.add_attachment(attached.content, maintype="text", subtype="csv", filename=attached.name, params=params)
    return mail


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"


def _failure(error: str, status: int | None = None) -> Answer:
    return Answer(delivered=False, status=status, error=" ".join(error.split())[:_LONGEST_ERROR])
