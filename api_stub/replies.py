"""Answers: documents as JSON, files as streams."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

JSON_TYPE: Final = "application/json"


class Document(Response):
    """A use-case's answer as JSON; the wire models document it, the tests hold both together."""

    media_type = JSON_TYPE

    def render(self, content: object) -> bytes:
        return to_json(content)


def attachment(body: Iterator[bytes], media_type: str, file_name: str) -> StreamingResponse:
    """A file to be saved; each piece is made in a worker thread, and only when the client takes it."""
    # A bare `media_type` would be sent as UTF-8, which an upload need not be.
    headers = {"Content-Type": media_type, "Content-Disposition": _disposition(file_name)}
    return StreamingResponse(body, headers=headers)


def _disposition(file_name: str) -> str:
    plain = "".join(each if each.isascii() and each.isprintable() and each not in '"\\' else "_" for each in file_name)
    header = f'attachment; filename="{plain}"'
    return header if plain == file_name else f"{header}; filename*=UTF-8''{quote(file_name, safe='')}"
