"""A real SMTP server that keeps what came, and refuses on request."""

import gc
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from worker.embedded.ports import free_port

USER, PASSWORD = "claimd", "s3cret/with:@"


@dataclass
class Mailbox:
    """What came, in order; `refusals` are the answers to the next recipients."""

    port: int
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: object, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take any recipient that is not refused."""
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, _server: object, session: Session, envelope: Envelope
    ) -> str:
        """Keep it."""
        assert isinstance(envelope.content, bytes)
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients += envelope.rcpt_tos
        self.users.append(session.auth_data.login.decode() if isinstance(session.auth_data, LoginPassword) else None)
        return "250 OK"


@contextmanager
def running_mailbox(tls: ssl.SSLContext | None = None, *, wants_password: bool = False) -> Iterator[Mailbox]:
    """A mail server on a free port of this machine; with `tls`, it offers STARTTLS."""
    mailbox = Mailbox(free_port())
    options: dict[str, Any] = {"tls_context": tls} if tls else {}
    if wants_password:
        options |= {"authenticator": _authenticate, "auth_required": True, "auth_require_tls": True}
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **options)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
        with warnings.catch_warnings():
            # What aiosmtpd leaves of a handshake that failed.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def _authenticate(
    _server: object, _session: object, _envelope: object, _mechanism: str, login: LoginPassword
) -> AuthResult:
    known = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False, auth_data=login)
