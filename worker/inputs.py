"""The stored input of a batch as a stream of plain bytes."""

from collections.abc import Iterator

from worker.queries import uploads
from worker.runtime import Runtime

BLOCK_BYTES = 128 * 1024
BLOCKS_AT_ONCE = 8


def read_input(runtime: Runtime, upload_key: int, offset: int = 0) -> Iterator[bytes]:
    """The input from byte `offset` on, block by block; holds no connection while its caller works.

    Raises:
        cryptography.exceptions.InvalidTag: the secret key is not the one that sealed it.
    """
    with runtime.transaction() as connection:
        number = uploads.find_block(connection, upload_key, offset) if offset else 0
    while True:
        with runtime.transaction() as connection:
            rows = uploads.fetch_blocks(connection, upload_key, number, BLOCKS_AT_ONCE)
        for found, start, data in rows:
            plain = runtime.keys.decrypt_block(upload_key, found, data)
            yield plain[max(0, offset - start) :]
            number = found + 1
        if len(rows) < BLOCKS_AT_ONCE:
            return
