"""The one file of a multipart form, taken out of it while it arrives."""

from collections.abc import AsyncIterator
from typing import Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError

from api_stub.body.names import clean_file_name, part_parameters
from api_stub.body.pieces import too_large
from api_stub.problems import InvalidMultipart

FIELD: Final = "file"
# Everything of a form but the file's own bytes: boundaries, headers, other fields.
WRAPPING_BYTES: Final = 64 * 1024


class FormFile:
    """Cuts the field `file` out of a form; all other fields are passed over."""

    def __init__(self, boundary: bytes, limit: int) -> None:
        """`limit`: bytes of the file at most."""
        self.file_name: str | None = None
        self._limit = limit
        self._boundary = boundary
        self._parts_found = 0
        self._in_file = False
        self._complete = False
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._found = bytearray()
        self._sizes = {"form": 0, "file": 0}

    async def pieces(self, form: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes of the file out of those of the form.

        Raises:
            InvalidMultipart: it is no whole form, or has none or several fields `file`.
            TooLarge: the file or what is around it is larger than allowed.
        """
        parser = self._parser()
        async for data in form:
            self._feed(parser, data)
            if self._found:
                yield bytes(self._found)
                self._found.clear()
        if not self._complete:
            raise InvalidMultipart("The form ends before its closing boundary.")
        if self._parts_found != 1:
            raise InvalidMultipart(f"The form needs exactly one field “{FIELD}”, it has {self._parts_found}.")

    def _parser(self) -> MultipartParser:
        try:
            return MultipartParser(
                self._boundary,
                {
                    "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_part,
                    "on_part_data": self._take,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise InvalidMultipart("The form's boundary cannot be used.") from error

    def _feed(self, parser: MultipartParser, data: bytes) -> None:
        try:
            parser.write(data)
        except FormParserError as error:
            raise InvalidMultipart("This is not a well-formed form.") from error
        self._sizes["form"] += len(data)
        self._sizes["file"] += len(self._found)
        if self._sizes["file"] > self._limit:
            raise too_large(self._limit)
        if self._sizes["form"] - self._sizes["file"] > WRAPPING_BYTES:
            raise too_large(WRAPPING_BYTES)

    def _end_header(self) -> None:
        name, value = self._header
        if bytes(name).lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _begin_part(self) -> None:
        parameters = part_parameters(self._disposition)
        self._disposition = b""
        self._in_file = parameters.get("name") == FIELD
        if self._in_file:
            self._parts_found += 1
            self.file_name = clean_file_name(parameters.get("filename"))

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._in_file and self._parts_found == 1:
            self._found += data[start:end]

    def _end(self) -> None:
        self._complete = True
