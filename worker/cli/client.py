"""The API as the command line uses it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2

from worker.cli.discovery import ApiAddress, find_api
from worker.cli.failures import ServerRefused
from worker.errors import EnvironmentProblem
from worker.version import __version__

BATCHES: Final = "/v1/claim-batches"
# An upload is answered when all of it is stored; large imports of others may be in its way.
TIMEOUT: Final = httpx2.Timeout(10.0, read=120.0, write=120.0)
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_REFUSED: Final = 400


class Unreachable(EnvironmentProblem):
    """The API did not answer."""


@contextmanager
def connected(data_dir: Path | None, api_url: str | None, token: str | None) -> Iterator["Api"]:
    """The API that was found.

    Raises:
        EnvironmentProblem: none was found.
    """
    address = find_api(data_dir, api_url, token)
    try:
        client = _client(address)
    except (httpx2.InvalidURL, UnicodeEncodeError, ValueError) as error:
        raise EnvironmentProblem(f"{address.url} is no address that can be used: {error}.") from error
    with client:
        yield Api(client)


class Api:
    """One server's API; every answer but success is an exception."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def get(self, path: str, **parameters: object) -> dict[str, Any]:
        """A document."""
        return self._document("GET", path, params=_given(parameters))

    def post(self, path: str, **parameters: object) -> dict[str, Any]:
        """The document that an action answers with."""
        return self._document("POST", path, params=_given(parameters))

    def post_document(self, path: str, document: Mapping[str, object]) -> dict[str, Any]:
        """The document of what was made from one."""
        return self._document("POST", path, json=dict(document))

    def delete(self, path: str) -> None:
        """Delete something."""
        with self._reachable():
            _refuse(self._client.delete(path))

    def upload(
        self, path: str, body: Iterator[bytes], headers: Mapping[str, str], parameters: Mapping[str, object]
    ) -> dict[str, Any]:
        """Send a body as it is read."""
        return self._document("POST", path, params=_given(parameters), headers=dict(headers), content=body)

    @contextmanager
    def download(self, path: str, **parameters: object) -> Iterator[Iterator[bytes]]:
        """The bytes of a file as they arrive."""
        with (
            self._reachable(),
            self._client.stream("GET", path, params=_given(parameters)) as response,
        ):
            if response.status_code >= _REFUSED:
                response.read()
            _refuse(response)
            yield response.iter_bytes()

    def _document(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401  # the client's own
        with self._reachable():
            response = self._client.request(method, path, **arguments)
        _refuse(response)
        document = _json(response)
        if not isinstance(document, dict):
            raise EnvironmentProblem(f"There is something else than claimd at {self._client.base_url}.")
        return document

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise Unreachable(f"The API at {self._client.base_url} cannot be reached: {_reason(error)}.") from error


def batch_path(batch_id: str, *parts: str) -> str:
    """The path of a batch, or of something that belongs to it."""
    return "/".join([BATCHES, quote(batch_id, safe=""), *parts])


def _client(address: ApiAddress) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {address.token}", "User-Agent": f"claimd/{__version__}"}
    # No proxy leads to this machine itself.
    elsewhere = httpx2.URL(address.url).host not in _HERE
    return httpx2.Client(base_url=address.url, headers=headers, timeout=TIMEOUT, trust_env=elsewhere)


def _given(parameters: Mapping[str, object]) -> dict[str, str]:
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in parameters.items()}
    return {name: str(value) for name, value in texts.items() if value is not None}


def _refuse(response: httpx2.Response) -> None:
    if response.status_code < _REFUSED:
        return
    problem = _json(response)
    if not isinstance(problem, dict):
        problem = {"type": "about:blank", "title": response.reason_phrase, "detail": response.text[:200]}
    raise ServerRefused({"status": response.status_code, **problem})


def _json(response: httpx2.Response) -> Any:  # noqa: ANN401  # whatever it is
    try:
        return response.json()
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
