"""Which encoding the whole of an input is valid in."""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from worker.intake.problems import undecodable

_BOMS: Final = (
    (codecs.BOM_UTF8, ("utf-8", "cp1252")),
    (codecs.BOM_UTF32_LE, ()),  # before UTF-16, whose mark it begins with; nothing writes it
    (codecs.BOM_UTF16_LE, ("utf-16-le",)),
    (codecs.BOM_UTF16_BE, ("utf-16-be",)),
)


@dataclass(frozen=True)
class Encoding:
    name: str
    bom: int  # bytes before the text


class _Trial:
    """One encoding, until a block is not valid in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.decoder = codecs.getincrementaldecoder(name)()

    def accepts(self, block: bytes, *, final: bool = False) -> bool:
        try:
            self.decoder.decode(block, final)
        except UnicodeDecodeError:
            return False
        return True


def detect_encoding(head: bytes, blocks: Iterable[bytes]) -> Encoding:
    """The first likely encoding in which every block is valid; `head` is how the first of them begin.

    All blocks are looked at: the only byte that is not UTF-8 may be the last.
    """
    bom, names = _likely(head)
    trials = [_Trial(name) for name in names]
    for block in blocks:
        trials = [trial for trial in trials if trial.accepts(block)]
        if not trials:
            break
    for trial in trials:
        if trial.accepts(b"", final=True):
            return Encoding(trial.name, bom)
    raise undecodable()


def _likely(head: bytes) -> tuple[int, tuple[str, ...]]:
    for bom, names in _BOMS:
        if head.startswith(bom):
            return len(bom), names
    return 0, _without_bom(head)


def _without_bom(head: bytes) -> tuple[str, ...]:
    """UTF-16 shows itself by a NUL in every other byte; a header is mostly ASCII."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd > len(head) // 5 and odd > even * 4:
        return ("utf-16-le",)
    if even > len(head) // 5 and even > odd * 4:
        return ("utf-16-be",)
    return ("utf-8", "cp1252")
