"""How Python's garbage collector works in the processes that handle a million rows."""

import gc

# Rows are lists of text without cycles: looking through them after every 700 finds nothing.
_ALLOCATIONS = 50_000


def collect_rarely() -> None:
    """Leave what was imported out of every collection, and collect less often. Called once, when all is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 20, 50)
