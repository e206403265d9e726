"""Which brokers claimd refuses, told by the answers of a server that says what it is told to say."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from worker.broker import check_broker
from worker.errors import EnvironmentProblem
from worker.settings import Settings


@contextmanager
def _server(version: str) -> Iterator[Settings]:
    info = f"# Server\r\nredis_version:{version}\r\n".encode()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                words = [self._word() for _ in range(int(line[1:]))]
                is_info = words[0].upper() == b"INFO"
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(info), info) if is_info else b"-ERR unknown command\r\n")

        def _word(self) -> bytes:
            return self.rfile.read(int(self.rfile.readline()[1:]) + 2).rstrip()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Settings.model_validate({"broker_url": f"redis://127.0.0.1:{server.server_address[1]}/0?protocol=2"})
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("version", ["6.2.0", "6.2.14", "7.2.4", "10.0.1"])
def test_a_broker_that_is_new_enough_is_accepted(version: str) -> None:
    with _server(version) as settings:
        check_broker(settings)


@pytest.mark.parametrize("version", ["2.8.24", "5.0.7", "6.0.16"])
def test_a_broker_that_is_too_old_is_refused(version: str) -> None:
    with (
        _server(version) as settings,
        pytest.raises(EnvironmentProblem, match=f"needs Redis 6.2 or later, or Valkey; this is Redis {version}"),
    ):
        check_broker(settings)


def test_a_missing_broker_url_is_refused() -> None:
    with pytest.raises(EnvironmentProblem, match="CLAIMD_BROKER_URL"):
        check_broker(Settings())


def test_the_refusal_does_not_repeat_the_password() -> None:
    settings = Settings.model_validate({"broker_url": "redis://u:s3cret@127.0.0.1:1/0"})
    with pytest.raises(EnvironmentProblem) as caught:
        check_broker(settings)
    assert "127.0.0.1:1" in str(caught.value)
    assert "s3cret" not in str(caught.value)
