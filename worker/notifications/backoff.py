"""When a delivery that failed is tried again."""

import random
from typing import Final

FIRST: Final = 5.0
LONGEST: Final = 6 * 60 * 60.0
LONGEST_ASKED: Final = 24 * 60 * 60.0
_SHORTEST: Final = 1.0
_DOUBLINGS: Final = 20


def pause_after(failures: int, asked: float | None = None) -> float:
    """Seconds until the next attempt: by chance, up to 5 s, 10 s, 20 s … 6 h; not before the receiver asked for it."""
    longest = min(LONGEST, FIRST * 2 ** min(failures - 1, _DOUBLINGS))
    by_chance = random.uniform(_SHORTEST, longest)  # noqa: S311  # spreads attempts, keeps no secret
    return max(by_chance, min(asked or 0.0, LONGEST_ASKED))
