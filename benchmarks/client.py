"""A client of the API that takes as little of the machine as a client can; it keeps its connection."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Self
from urllib.parse import urlsplit

_TIMEOUT = 120.0
_REFUSED = 400


class Client:
    """One connection to a running claimd, in the name of the token that `claimd up` gave out."""

    def __init__(self, up: Mapping[str, Any]) -> None:
        address = urlsplit(up["api_url"])
        self._connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT)
        self._headers = {"Authorization": f"Bearer {up['token']}"}
        self._submissions = f"/v1/projects/{up['project_id']}/claim-batches"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def submit(self, body: bytes | IO[bytes], media_type: str, size: int) -> dict[str, Any]:
        """Post a batch; returns its document."""
        headers = {"Content-Type": media_type, "Content-Length": str(size)}
        return self._document("POST", self._submissions, body, headers)

    def get(self, path: str) -> dict[str, Any]:
        """A document."""
        return self._document("GET", path)

    @contextmanager
    def stream(self, path: str) -> Iterator[IO[bytes]]:
        """What is told piece by piece."""
        self._connection.request("GET", path, headers=self._headers)
        with self._connection.getresponse() as response:
            _refuse(response)
            yield response

    def _document(
        self, method: str, path: str, body: bytes | IO[bytes] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        self._connection.request(method, path, body, {**self._headers, **(headers or {})})
        with self._connection.getresponse() as response:
            _refuse(response)
            return dict(json.load(response))


def _refuse(response: http.client.HTTPResponse) -> None:
    if response.status >= _REFUSED:
        raise RuntimeError(f"{response.status}: {response.read(1000)!r}")
