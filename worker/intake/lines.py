"""Bytes into physical lines, in bounded memory and whatever the sizes of the blocks are."""

import codecs
import io
from collections.abc import Iterator
from typing import Final

from worker.intake.dialect import GROUP_CHARS
from worker.intake.problems import InputRejected, record_too_large, undecodable

_PIECE: Final = 131_072


class PhysicalLines:
    """The lines of an input with their line ends, which are CR LF, LF or CR and nothing else.

    `str.splitlines` would also split at form feeds and at U+2028, which people have inside cells.
    """

    def __init__(self, blocks: Iterator[bytes], encoding: str, longest: int, line: int) -> None:
        """`blocks` begin at a line end's other side; the first line of them has the number `line`."""
        self.line = line  # the number of the line that `take` gives next
        self._blocks = _slices(blocks)
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._longest = longest
        self._lines: list[str] = []
        self._next = 0
        self._chars = 0  # in the lines from `_next` on
        self._pending: list[str] = []  # pieces of a line whose end was not seen yet
        self._pending_chars = 0
        self._ended = False
        self._failure: InputRejected | None = None

    def take(self, count: int) -> list[str]:
        """Up to `count` lines, fewer if they are long; none at the end of the input."""
        while len(self._lines) - self._next < count and self._chars < GROUP_CHARS and not self._ended:
            self._read_block()
        taken = self._lines[self._next : self._next + count]
        if not taken and self._failure:
            raise self._failure
        taken, chars = _up_to(GROUP_CHARS, taken)
        self._chars -= chars
        self._next += len(taken)
        self.line += len(taken)
        return taken

    def _read_block(self) -> None:
        block = next(self._blocks, None)
        try:
            text = self._decoder.decode(block or b"", final=block is None)
        except UnicodeDecodeError:
            self._end(undecodable())
            return
        self._add(text, last=block is None)

    def _add(self, text: str, *, last: bool) -> None:
        after_cr = bool(self._pending) and self._pending[-1].endswith("\r")
        if last or after_cr or "\n" in text or "\r" in text:
            self._split("".join([*self._pending, text]), last=last)
        elif text:
            self._pending.append(text)
            self._pending_chars += len(text)
        if last or self._pending_chars > self._longest:
            self._end(None if last else self._too_large(len(self._lines)))

    def _split(self, text: str, *, last: bool) -> None:
        lines = list(io.StringIO(text, newline=""))
        # A carriage return at the end may be half of a CR LF.
        tail = lines.pop() if lines and not last and not lines[-1].endswith("\n") else ""
        self._pending = [tail] if tail else []
        self._pending_chars = len(tail)
        del self._lines[: self._next]
        self._next = 0
        self._lines += lines
        self._chars += sum(map(len, lines))
        if len(text) > self._longest:
            self._check_lengths()

    def _check_lengths(self) -> None:
        for index, line in enumerate(self._lines):
            if len(line) > self._longest:
                self._end(self._too_large(index))
                del self._lines[index:]
                return

    def _too_large(self, index: int) -> InputRejected:
        return record_too_large(self.line - self._next + index, self._longest)

    def _end(self, failure: InputRejected | None) -> None:
        self._ended = True
        self._failure = self._failure or failure
        self._pending = []


def _up_to(most: int, lines: list[str]) -> tuple[list[str], int]:
    """The first lines, up to the one with which there are `most` characters, and how many there are."""
    total = sum(map(len, lines))
    if total <= most:
        return lines, total
    total = 0
    for index, line in enumerate(lines, start=1):
        total += len(line)
        if total >= most:
            return lines[:index], total
    return lines, total


def _slices(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Large blocks in pieces: the text and the lines of one piece are in memory at a time."""
    for block in blocks:
        if len(block) <= _PIECE:
            yield block
        else:
            yield from (block[start : start + _PIECE] for start in range(0, len(block), _PIECE))
