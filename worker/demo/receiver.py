"""A receiver of webhooks on this machine, which believes only what is signed."""

import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from worker.errors import EnvironmentProblem
from worker.notifications.signing import read_secret, signed_headers

_LOOK_SECONDS: Final = 0.1
_LARGEST: Final = 20_000


class Receiver:
    """Listens on a free port until it is left."""

    def __init__(self) -> None:
        self._secret = b""
        self._messages: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _LARGEST))
                self.send_response(204 if receiver.take(dict(self.headers), body) else 400)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(_LOOK_SECONDS,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where webhooks are to be sent."""
        return f"http://127.0.0.1:{self._server.server_port}/claimd"

    def trust(self, secret: str) -> None:
        """Believe what is signed with this secret, `whsec_…`."""
        self._secret = read_secret(secret)

    def take(self, headers: dict[str, str], body: bytes) -> bool:
        """Keep a message if its signature is right; whether it is."""
        given = {name.lower(): value for name, value in headers.items()}
        try:
            signed = signed_headers([self._secret], given["webhook-id"], int(given["webhook-timestamp"]), body)
        except (KeyError, ValueError):
            return False
        expected = signed["webhook-signature"]
        is_right = any(hmac.compare_digest(each, expected) for each in given.get("webhook-signature", "").split())
        if is_right:
            self._messages.append(json.loads(body))
        return is_right

    def wait_for(
        self, kind: str, batch_id: str, seconds: float, meanwhile: Callable[[], object] = lambda: None
    ) -> dict[str, Any]:
        """The first message of this kind about a batch; `meanwhile` is called again and again.

        Raises:
            EnvironmentProblem: none came in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in list(self._messages):
                if (message["type"], message["data"].get("batch_id")) == (kind, batch_id):
                    return message
            meanwhile()
            time.sleep(_LOOK_SECONDS)
        raise EnvironmentProblem(f"No webhook {kind} came within {seconds:g} seconds.")
