"""What reading costs in a large batch: a page as many blocks as in a small one, a report no more memory."""

import tracemalloc
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.claims import Sender, claim, new_sender
from worker.cursors import encode_cursor
from worker.reports import report_csv, results_page
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import Outcome

ROWS = 200_000
# Each result may be looked up in some indexes, each a few levels deep; all devices are in 2,000 blocks.
BLOCKS_OF_A_PAGE = 1_500
BLOCKS_OF_A_REPORT = 40_000
MEMORY_OF_A_REPORT = 16_000_000


@pytest.fixture
def one_connection(settings: Settings) -> Iterator[Runtime]:
    """A runtime whose statements are all counted by one backend."""
    runtime = build_runtime(settings, pool_size=1)
    yield runtime
    runtime.close()


def test_a_page_costs_the_same_anywhere_in_a_large_batch(runtime: Runtime, one_connection: Runtime) -> None:
    sender, batch_id = _large_batch(runtime)

    def blocks_of(outcome: Outcome | None, after_row: int) -> int:
        before = _blocks(one_connection)
        page = results_page(one_connection, sender.principal, batch_id, outcome, 50, encode_cursor(after_row, 0))
        assert len(page["items"]) == 50
        return _blocks(one_connection) - before

    runtime.close()  # what its backends did is counted when they end
    blocks_of(None, 0)  # the first time the catalogue is read as well
    for outcome in (None, Outcome.CLAIMED, Outcome.NOT_FOUND, Outcome.DUPLICATE):
        for after_row in (0, ROWS // 2, ROWS - 5_100):
            assert blocks_of(outcome, after_row) < BLOCKS_OF_A_PAGE, (outcome, after_row)
    for _ in range(8):  # by now the server may use a plan that knows no values
        assert blocks_of(Outcome.NOT_FOUND, ROWS // 2) < BLOCKS_OF_A_PAGE


def test_a_large_report_needs_little_memory_and_reads_each_result_once(
    runtime: Runtime, one_connection: Runtime
) -> None:
    sender, batch_id = _large_batch(runtime)
    runtime.close()
    for only_failed in (False, True):
        before = _blocks(one_connection)
        tracemalloc.start()
        size = sum(map(len, report_csv(one_connection, sender.principal, batch_id, only_failed=only_failed)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MEMORY_OF_A_REPORT, size
        assert _blocks(one_connection) - before < BLOCKS_OF_A_REPORT


def _large_batch(runtime: Runtime) -> tuple[Sender, str]:
    """Every 50th row names no device, and every 50th one that an earlier row named."""
    with runtime.transaction() as connection:
        connection.execute(
            text("""
                insert into device (device_id, prepaid_months)
                select 'd' || number, 12 from generate_series(0, :rows - 1) as number"""),
            {"rows": ROWS},
        )
    names = [
        f"x{row}" if row % 50 == 1 else f"d{row - row % 50}" if row % 50 == 2 else f"d{row}" for row in range(ROWS)
    ]
    sender = new_sender(runtime, "North")
    return sender, claim(runtime, sender, ("device_id\n" + "\n".join(names)).encode())["id"]


def _blocks(runtime: Runtime) -> int:
    with runtime.transaction() as connection:
        connection.execute(text("select pg_stat_force_next_flush()"))
    with runtime.transaction() as connection:
        return int(
            connection.execute(
                text("select blks_hit + blks_read from pg_stat_database where datname = current_database()")
            ).scalar_one()
        )
