"""What is old is pruned, in small steps that can be interrupted; who asks for it is told so."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.claims import Sender, add_devices, carry_out, claim, holders, new_sender, outcomes, send
from tests.clock import pass_time
from tests.database.reports.reading import all_items, csv_rows, csv_text
from tests.reports import proven
from worker.batches import get_batch, resume, revert
from worker.errors import InputPruned, ResultsPruned
from worker.operations.retention import STEPS, prune_old
from worker.operations.verify import verify
from worker.queries import retention
from worker.queries.events import emit_event
from worker.reports import kits_page, original_input, report_bundle, report_csv, report_jsonl, results_page
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import EventType, Mode
from worker.subscriptions import activate_due

CSV = b"identifier;Room\nkit-1;1\nk1;2\na1;3\nkit-9;4\n-1;5\na2;6\n"


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    add_devices(runtime, ["a1", "a2", "a3"])
    add_devices(runtime, ["k1", "k2"], kit="kit-1")
    return new_sender(runtime, "north")


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of two batches and of two rows."""
    monkeypatch.setattr(retention, "_BATCHES", 2)
    monkeypatch.setattr(retention, "_ROWS", 2)


def count(runtime: Runtime, table: str) -> int:
    with runtime.transaction() as connection:
        return int(connection.execute(text(f"select count(*) from {table}")).scalar_one())


def test_nothing_is_pruned_before_its_time(runtime: Runtime, sender: Sender) -> None:
    claim(runtime, sender, CSV)
    pass_time(runtime, days=89)
    assert prune_old(runtime) == 0


def test_after_its_time_an_input_is_gone_and_the_results_are_told_without_it(
    runtime: Runtime, sender: Sender, tmp_path: Path
) -> None:
    batch = claim(runtime, sender, CSV)
    before = all_items(runtime, sender, batch)
    pass_time(runtime, days=91)
    assert prune_old(runtime) == 1
    assert prune_old(runtime) == 0
    with pytest.raises(InputPruned):
        original_input(runtime, sender.principal, batch["id"])
    after = all_items(runtime, sender, batch)
    assert after == [{**item, "line": None, "input": None} for item in before]
    assert count(runtime, "upload_block") == count(runtime, "upload") == 0
    pruned = get_batch(runtime, sender.principal, batch["id"])
    assert pruned["input_pruned_at"] is not None
    assert pruned["results_pruned_at"] is None
    assert pruned["totals"] == batch["totals"]
    assert proven(runtime, sender, batch["id"], tmp_path).problems == []
    assert verify(runtime) == []


def test_the_table_of_a_pruned_input_has_the_columns_of_the_report(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, CSV)
    before = csv_rows(runtime, sender, batch, ";")
    pass_time(runtime, days=91)
    prune_old(runtime)
    after = csv_rows(runtime, sender, batch, ";")
    assert after[0] == ["row", "line", "outcome", "device_id", "detail", "hint"]
    assert [[row[0], *row[2:]] for row in after] == [[row[2], *row[4:]] for row in before]
    failed = csv_text(runtime, sender, batch, only_failed=True).splitlines()
    assert [line.split(";")[0] for line in failed] == ["row", "4", "5"]


def test_without_its_input_a_kit_that_there_is_not_has_no_name(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"kit_id\nkit-1\nkit-9\n")
    pass_time(runtime, days=91)
    prune_old(runtime)
    kits = kits_page(runtime, sender.principal, batch["id"])["items"]
    assert [(kit["row"], kit["kit_id"]) for kit in kits] == [(1, "kit-1"), (2, None)]


def test_after_their_time_results_are_gone_and_the_claims_stay(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, CSV)
    held = holders(runtime)
    pass_time(runtime, days=401)
    prune_old(runtime)
    for ask in (results_page, kits_page, report_csv, report_jsonl, report_bundle):
        with pytest.raises(ResultsPruned):
            ask(runtime, sender.principal, batch["id"])
    tables = ("result", "kit_row", "checkpoint", "mended_row", "upload_block", "pruning")
    assert {table: count(runtime, table) for table in tables} == dict.fromkeys(tables, 0)
    pruned = get_batch(runtime, sender.principal, batch["id"])
    assert pruned["results_pruned_at"] is not None
    assert (pruned["totals"], pruned["rows_total"]) == (batch["totals"], batch["rows_total"])
    assert holders(runtime) == held
    assert verify(runtime) == []


@pytest.mark.usefixtures("small_steps")
def test_pruning_that_is_interrupted_after_any_step_goes_on(runtime: Runtime, sender: Sender) -> None:
    for _ in range(3):
        claim(runtime, sender, CSV)
    claim(runtime, sender, b"")
    pass_time(runtime, days=401)
    runs = 0
    while any(_each_step_alone(runtime)):
        runs += 1
        assert verify(runtime) == []
    assert runs > 5
    assert count(runtime, "result") == count(runtime, "upload") == count(runtime, "pruning") == 0
    assert prune_old(runtime) == 0


def _each_step_alone(runtime: Runtime) -> Iterator[int]:
    """The first step that finds something to do, and then nothing: as if the process had died."""
    for step in STEPS:
        with runtime.transaction() as connection:
            done = step(connection, runtime.settings)
        yield done
        if done:
            return


@pytest.mark.usefixtures("small_steps")
def test_several_may_prune_at_the_same_time(runtime: Runtime, sender: Sender, settings: Settings) -> None:
    for _ in range(6):
        claim(runtime, sender, CSV)
    pass_time(runtime, days=401)
    runtimes = [build_runtime(settings) for _ in range(3)]
    with ThreadPoolExecutor(len(runtimes)) as pool:
        pruned = sum(pool.map(prune_old, runtimes))
    for each in runtimes:
        each.close()
    assert pruned >= 12
    assert count(runtime, "result") == count(runtime, "upload") == count(runtime, "pruning") == 0
    assert verify(runtime) == []


def test_a_report_that_is_read_while_it_is_pruned_breaks_off(runtime: Runtime, sender: Sender) -> None:
    rows = b"".join(b"x%d\n" % number for number in range(25_000))
    batch = claim(runtime, sender, b"device_id\n" + rows)
    reports = [report(runtime, sender.principal, batch["id"]) for report in (report_csv, report_jsonl)]
    for report in reports:
        next(report)
    pass_time(runtime, days=401)
    prune_old(runtime)
    for report in reports:
        with pytest.raises((ResultsPruned, InputPruned)):
            list(report)


def test_what_is_not_at_its_end_is_kept(runtime: Runtime, sender: Sender) -> None:
    preview = claim(runtime, sender, CSV, preview=True)
    waiting = send(runtime, sender, b"a3\n")
    claim(runtime, sender, b"a1\nnope\n", mode=Mode.ATOMIC)
    pass_time(runtime, days=4000)
    prune_old(runtime)
    kept = {each: get_batch(runtime, sender.principal, each) for each in (preview["id"], waiting)}
    assert all(batch["input_pruned_at"] is None for batch in kept.values())
    assert count(runtime, "upload") == 2
    carry_out(runtime, waiting)
    assert outcomes(runtime, waiting) == [(1, "a3", "claimed")]


def test_a_failed_batch_is_kept_for_as_long_as_it_holds_claims(runtime: Runtime, sender: Sender) -> None:
    empty_handed, holding = send(runtime, sender, b"nope\n"), send(runtime, sender, b"a1\n")
    with runtime.transaction() as connection:
        connection.execute(text("update batch set state = 'failed', finished_at = now(), problem = '{}'"))
        connection.execute(
            text("insert into claim select 1, project_key, key, now() from batch where public_id = :id"),
            {"id": holding},
        )
    pass_time(runtime, days=399)
    assert prune_old(runtime) == 0
    pass_time(runtime, days=2)
    prune_old(runtime)
    with pytest.raises(InputPruned):
        resume(runtime, sender.principal, empty_handed)
    assert get_batch(runtime, sender.principal, holding)["input_pruned_at"] is None


def test_a_pruned_batch_starts_its_subscriptions_when_they_are_due(runtime: Runtime, sender: Sender) -> None:
    batch = claim(runtime, sender, b"a1\na2\n")
    with runtime.transaction() as connection:
        for table in ("batch", "activation"):
            connection.execute(text(f"update {table} set activate_at = activate_at + interval '700 days'"))
    pass_time(runtime, days=500)
    prune_old(runtime)
    assert activate_due(runtime) == 0
    pass_time(runtime, days=201)
    activate_due(runtime)
    assert get_batch(runtime, sender.principal, batch["id"])["results_pruned_at"] is not None
    assert count(runtime, "subscription where state = 'active'") == 2
    assert verify(runtime) == []


def test_within_its_hold_window_a_batch_can_be_reverted_however_short_the_retention(
    runtime: Runtime, sender: Sender
) -> None:
    shortly = {"keep_inputs": timedelta(0), "keep_results": timedelta(0)}
    hasty = Runtime(runtime.settings.model_copy(update=shortly), runtime.engine, runtime.keys, runtime.doorbell)
    batch = claim(hasty, sender, CSV)
    prune_old(hasty)
    carry_out(hasty, revert(hasty, sender.principal, batch["id"])["id"])
    assert holders(hasty) == {}
    pass_time(hasty, minutes=16)
    prune_old(hasty)
    assert count(hasty, "result") == 0
    assert verify(hasty) == []


def test_ended_deliveries_go_with_their_events_and_waiting_ones_stay(runtime: Runtime, sender: Sender) -> None:
    _tell_of_three_events(runtime, sender)
    with runtime.transaction() as connection:
        connection.execute(
            text("update delivery set state = 'delivered', ended_at = now() where key in (1, 2, 3)"),
        )
    pass_time(runtime, days=29)
    assert prune_old(runtime) == 0
    pass_time(runtime, days=2)
    assert prune_old(runtime) == 3
    # The first event had two endpoints, of which the second event still waits for one.
    assert (count(runtime, "delivery"), count(runtime, "event")) == (3, 2)


def _tell_of_three_events(runtime: Runtime, sender: Sender) -> None:
    organization = sender.principal.organization_key
    with runtime.transaction() as connection:
        for number in (1, 2):
            connection.execute(
                text("""insert into endpoint (public_id, organization_key, kind, target, events)
                    values (:id, :organization, 'webhook', 'https://example.com/', array['ping'])"""),
                {"id": f"end_{number}", "organization": organization},
            )
        for number in range(3):
            emit_event(connection, organization, EventType.PING, {"n": number}, timedelta(days=3))


def test_the_newest_digest_of_an_organization_is_kept(runtime: Runtime, sender: Sender) -> None:
    insert = text("""
        insert into digest (organization_key, day, due_at, since, data)
        select :organization, current_date + n, now() + n * interval '1 day', now() - interval '1 day', '{}'
        from generate_series(1, 3) n""")
    with runtime.transaction() as connection:
        connection.execute(insert, {"organization": sender.principal.organization_key})
    pass_time(runtime, days=1000)
    assert prune_old(runtime) == 2


def test_retention_without_end_prunes_nothing(runtime: Runtime, sender: Sender) -> None:
    claim(runtime, sender, CSV)
    names = ("keep_inputs", "keep_results", "keep_deliveries")
    settings = runtime.settings.model_copy(update=dict.fromkeys(names, timedelta.max))
    pass_time(runtime, days=40_000)
    assert prune_old(Runtime(settings, runtime.engine, runtime.keys, runtime.doorbell)) == 0
