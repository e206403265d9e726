"""A receiver of webhooks: a real server that keeps what came, and misbehaves on request.

What it does is told by the path: `/status/503`, `/redirect`, `/hang`, `/drip`, `/flood`, `/cut`; all others are taken
with 204, unless `script` has other answers for them.
"""

import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks import Webhook

FLOOD: Final = 50_000_000


@dataclass(frozen=True)
class Received:
    """One request, with lower-case names of headers."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The document, once the specification's own library has verified it with a `whsec_…`.

        Raises:
            WebhookVerificationError: it was not signed with this secret.
        """
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Receiver:
    """What came to a running receiver, in order; `script` has the next statuses and headers for a path."""

    url: str
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    sent: int = 0
    script: defaultdict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=lambda: defaultdict(list))
    stopping: threading.Event = field(default_factory=threading.Event)

    def at(self, path: str) -> list[Received]:
        """What came to one path."""
        return [each for each in self.received if each.path == path]


@contextmanager
def running_receiver(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""
    server = _Server((host, 0), _Handler)
    server.receiver = Receiver(f"{'https' if tls else 'http'}://{host}:{server.server_address[1]}")
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.receiver
    finally:
        server.receiver.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever sent may go away at any time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.receiver.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.receiver.received.append(Received(self.path, headers, body))
        behave = getattr(self, f"on_{self.path.split('/')[1]}", self._take)
        with suppress(ConnectionError, ssl.SSLError):
            behave()

    def log_message(self, *_arguments: object) -> None:
        """Silent: what came is kept."""

    def _take(self) -> None:
        scripted = self.server.receiver.script[self.path]
        self._answer(*(scripted.pop(0) if scripted else (204, {})))

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, **({} if status == 204 else {"Content-Length": str(len(body))})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def on_status(self) -> None:
        self._answer(int(self.path.split("/")[2]), {}, b"so \x1b[31m it is\n")

    def on_redirect(self) -> None:
        self._answer(302, {"Location": f"{self.server.receiver.url}/landed"})

    def on_hang(self) -> None:
        self.server.receiver.stopping.wait(20)
        self.close_connection = True

    def on_drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 ")
        while not self.server.receiver.stopping.wait(0.02):
            self.wfile.write(b"2")

    def on_flood(self) -> None:
        self.send_response(500)
        self.send_header("Content-Length", str(FLOOD))
        self.end_headers()
        for _ in range(FLOOD // 10_000):
            self.wfile.write(b"x" * 10_000)
            self.server.receiver.sent += 10_000

    def on_cut(self) -> None:
        self.close_connection = True
