"""What a body is: a CSV file as such or in a form, or JSON."""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Literal, Self

import anyio.to_thread
from fastapi import Request
from python_multipart.multipart import parse_options_header

from api_stub.body.form import WRAPPING_BYTES, FormFile
from api_stub.body.names import attachment_name, clean_file_name
from api_stub.body.pieces import pour, read_pieces, refuse_length
from api_stub.problems import InvalidMultipart, UnsupportedMediaType
from worker.settings import Settings

CSV_TYPE: Final = b"text/csv"
FORM_TYPE: Final = b"multipart/form-data"
JSON_TYPE: Final = b"application/json"


class Digest:
    """A sink that only reckons the SHA-256."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self._hash.update(data)

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()


@dataclass
class Body:
    """The bytes of the file that a request brings, whatever they are wrapped in."""

    source: Literal["csv", "json"]
    pieces: AsyncIterator[bytes]
    announced: int | None  # bytes by the Content-Length, with what they are wrapped in
    _file_name: Callable[[], str | None]

    @property
    def file_name(self) -> str | None:
        """The client's name of the file; of a form it is known once the file has begun."""
        return self._file_name()

    async def digest(self, settings: Settings) -> str:
        """The SHA-256 of the bytes, which are not kept."""
        digest = Digest()
        await pour(self.pieces, digest, settings.upload_lease)
        return digest.sha256


@dataclass(frozen=True)
class Limits:
    """How many bytes of which kind a route takes; JSON only if it says so."""

    csv: int
    json: int | None = None
    check_json: Callable[[bytes], None] | None = None

    @classmethod
    def of_submission(cls, settings: Settings, check_json: Callable[[bytes], None]) -> Self:
        """Those of a batch."""
        return cls(settings.max_upload_bytes, settings.max_json_bytes, check_json)

    @classmethod
    def of_import(cls, settings: Settings) -> Self:
        """Those of an inventory file."""
        return cls(settings.max_import_bytes)


def body_of(request: Request, limits: Limits, settings: Settings) -> Body:
    """The body, of which no byte has been read yet.

    Raises:
        UnsupportedMediaType: it is of another kind, or compressed.
        TooLarge: it says that it is.
        InvalidMultipart: a form without a boundary.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed.")
    media_type, parameters = parse_options_header(request.headers.get("content-type"))
    if media_type == CSV_TYPE:
        return _csv(request, limits, settings)
    if media_type == FORM_TYPE:
        return _form(request, parameters.get(b"boundary", b""), limits, settings)
    if media_type == JSON_TYPE and limits.json is not None:
        return _json(request, limits, settings)
    raise UnsupportedMediaType(_advice(limits))


def _csv(request: Request, limits: Limits, settings: Settings) -> Body:
    announced = refuse_length(request, limits.csv)
    name = clean_file_name(attachment_name(request.headers.get("content-disposition", "")))
    return Body("csv", read_pieces(request, limits.csv, settings.upload_lease), announced, lambda: name)


def _form(request: Request, boundary: bytes, limits: Limits, settings: Settings) -> Body:
    if not boundary:
        raise InvalidMultipart("The Content-Type has no boundary.")
    limit = limits.csv + WRAPPING_BYTES
    announced = refuse_length(request, limit)
    file = FormFile(boundary, limits.csv)
    form = read_pieces(request, limit, settings.upload_lease)
    return Body("csv", file.pieces(form), announced, lambda: file.file_name)


def _json(request: Request, limits: Limits, settings: Settings) -> Body:
    limit = limits.json or 0
    announced = refuse_length(request, limit)
    pieces = read_pieces(request, limit, settings.upload_lease)
    return Body("json", _checked(pieces, limits.check_json), announced, lambda: None)


async def _checked(pieces: AsyncIterator[bytes], check: Callable[[bytes], None] | None) -> AsyncIterator[bytes]:
    whole = b"".join([piece async for piece in pieces])
    if check is not None:
        await anyio.to_thread.run_sync(check, whole)
    yield whole


def _advice(limits: Limits) -> str:
    kinds = "text/csv, or multipart/form-data with the field “file”"
    return f"Send {kinds}." if limits.json is None else f"Send {kinds}, or application/json."
