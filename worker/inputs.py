"""The stored input of a batch as a stream of plain bytes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

from sqlalchemy import Connection

from worker.queries import uploads
from worker.runtime import Runtime

BLOCK_BYTES = 128 * 1024
BLOCKS_AT_ONCE = 8


def read_input(
    runtime: Runtime, upload_key: int, offset: int = 0, connection: Connection | None = None
) -> Iterator[bytes]:
    """The input from byte `offset` on, block by block.

    Without a `connection` of its caller it holds none while the caller works.

    Raises:
        cryptography.exceptions.InvalidTag: the secret key is not the one that sealed it.
    """
    ask: Callable[[], AbstractContextManager[Connection]] = (
        runtime.reading if connection is None else lambda: nullcontext(connection)
    )
    number, count = 0, BLOCKS_AT_ONCE
    if offset:
        count = 1  # whoever begins in the middle mostly wants a page
        with ask() as asked:
            number = uploads.find_block(asked, upload_key, offset)
    while True:
        with ask() as asked:
            rows = uploads.fetch_blocks(asked, upload_key, number, count)
        for found, start, data in rows:
            plain = runtime.keys.decrypt_block(upload_key, found, data)
            yield plain[max(0, offset - start) :]
            number = found + 1
        if len(rows) < count:
            return
        count = BLOCKS_AT_ONCE
