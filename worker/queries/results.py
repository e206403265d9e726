"""What became of every row of a batch, read in pages; nothing here writes.

Devices, kits and claims are looked up in sub-queries that cannot be merged into the rest (`offset 0`, or a
single value): for a page that is one index probe each, and no plan can come to read a whole inventory.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, RowMapping, text

from worker.states import SUCCESSES, USUAL, NamedBy, Outcome

_BATCH = text("""
    select batch.key, batch.public_id, batch.organization_key, project_key, state, source, dialect, upload_key,
        input_bytes, results_total, file_name, input_pruned_at, results_pruned_at
    from batch where batch.public_id = :public_id and organization_key = :organization""")
_STATE = text("select state, results_pruned_at is not null as pruned from batch where key = :batch")
# A batch that has just ended is not in the server's statistics yet. It would be taken for a few rows that may
# as well be fetched as a whole and sorted, for each page again; in the order of the index any plan is cheap.
_KEEP_TO_THE_INDEX = text("""
    select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
        set_config('enable_seqscan', 'off', true)""")

_CHECKPOINTS = text("""
    select start.row, start.byte_offset, start.line, max(wanted.row) as last
    from unnest(cast(:rows as int[])) as wanted (row)
    left join lateral (
        select row, byte_offset, line from checkpoint where batch_key = :batch and row <= wanted.row
        order by row desc limit 1) as start on true
    group by start.row, start.byte_offset, start.line order by start.row nulls first""")

_HOLDER = """(
    select name from project where key = holder_key and organization_key = :organization
    and (cast(:visible as bigint[]) is null or key = any(:visible)))"""
_NAMED_KIT = """(
    select coalesce(shown_id, kit_id) from kit_row join kit on kit.key = kit_row.kit_key
    where kit_row.batch_key = :batch and kit_row.row = {row})"""
_FIRST_ROW = """(
    select named_by from result as earlier where earlier.batch_key = :batch and earlier.row = page.duplicate_of_row
    order by position limit 1)"""
_PAGE = f"""
    select page.row, position, outcome, reason, preview_outcome, duplicate_of_row,
        device.shown_id as device_id, first_kit_id, {_HOLDER} as holder,
        coalesce({_NAMED_KIT.format(row="page.row")}, first_kit_id,
            case when held then (select coalesce(shown_id, kit_id) from kit where key = kit_key) end) as kit_id,
        case when held or {NamedBy.SERIAL_NUMBER:d} in (named_by, {_FIRST_ROW}) then shown_serial end
            as serial_number
    from (
        select * from result where batch_key = :batch and (row, position) > (:row, :position) {{having}}
        order by row, position limit :count) as page
    left join lateral (
        select coalesce(shown_id, device_id) as shown_id, kit_key,
            coalesce(shown_serial, serial_number) as shown_serial,
            exists (select from claim where device_key = device.key and project_key = :project) as held
        from device where key = page.device_key offset 0) as device on true
    cross join lateral (select {_NAMED_KIT.format(row="page.duplicate_of_row")} as first_kit_id offset 0) as first
    order by page.row, position"""
_ALL_RESULTS = text(_PAGE.format(having=""))
_USUAL_RESULTS = text(_PAGE.format(having="and outcome = :outcome"))
# The condition of the partial index has to stand here as it stands there.
_USUAL = ", ".join(str(number) for number in sorted(outcome.number for outcome in USUAL))
_OTHER_RESULTS = text(_PAGE.format(having=f"and outcome = :outcome and outcome not in ({_USUAL})"))

_KITS = text("""
    select named.row, coalesce(kit.shown_id, kit.kit_id) as kit_id, found.devices, found.outcomes
    from (
        select row, kit_key from kit_row where batch_key = :batch and row > :row order by row limit :count
    ) as named
    left join lateral (select shown_id, kit_id from kit where key = named.kit_key offset 0) as kit on true
    cross join lateral (
        select coalesce(sum(devices), 0) as devices, jsonb_object_agg(outcome, results) as outcomes
        from (
            select outcome, count(*) as results, count(device_key) as devices
            from result where batch_key = :batch and row = named.row group by outcome) as counted
    ) as found
    order by named.row""")

# In a report nearly every row has an outcome that is told without any look-up, and a device that it named by
# its identifier: of those the row's number and one small code are read, of the others a few columns more.
# The rows of `taken` come out in the order they went in; sorting them again would take as long as all the rest.
REASON_SHIFT: Final = 4
OUTCOME_MASK: Final = (1 << REASON_SHIFT) - 1
BY_IDENTIFIER: Final = 1 << 8
REASON_MASK: Final = BY_IDENTIFIER - (1 << REASON_SHIFT)
SPECIAL: Final = 1 << 9
POSITION_BITS: Final = 15
_WINDOW = f"""
    with taken as materialized (
        select *, outcome in ({Outcome.ALREADY_CLAIMED.number}, {Outcome.DUPLICATE.number})
                or device_key is not null and not by_identifier as special,
            by_identifier and (select exists (select from device where shown_id is not null)) as maybe_shown
        from (
            select *, device_key is not null and named_by = {NamedBy.DEVICE_ID:d} as by_identifier
            from ({{source}} order by row, position limit :count) as found
        ) as named
    ), looked_up as (
        select duplicate_of_row, case when holder_key is not null then {_HOLDER} end as holder,
            case when duplicate_of_row is not null
                then {_NAMED_KIT.format(row="taken.duplicate_of_row")} end as kit_id,
            case when not by_identifier
                then (select coalesce(shown_id, device_id) from device where key = device_key) end as device_id
        from taken where special
    )
    select dense.*, sparse.* from (
        select array_agg(row) as rows, max((row::bigint << {POSITION_BITS}) + position) as last,
            array_agg(outcome + (reason << {REASON_SHIFT}) + by_identifier::int * {BY_IDENTIFIER}
                + special::int * {SPECIAL}) as codes,
            array_agg(coalesce((
                select shown_id from device where key = device_key and shown_id is not null), ''))
                filter (where maybe_shown) as shown
        from taken
    ) as dense, (
        select array_agg(device_id) as device_ids, array_agg(duplicate_of_row) as duplicates,
            array_agg(kit_id) as kit_ids, array_agg(holder) as holders
        from looked_up
    ) as sparse"""
_WINDOW_OF_ALL = text(
    _WINDOW.format(source="select * from result where batch_key = :batch and (row, position) > (:row, :position)")
)
_FAILING = ", ".join(str(outcome.number) for outcome in Outcome if outcome not in SUCCESSES)
_WINDOW_OF_ALL = text(
    _WINDOW.format(source="select * from result where batch_key = :batch and (row, position) > (:row, :position)")
)
_WINDOW_OF_FAILED = text(
    _WINDOW.format(
        source="select distinct on (row) * from result "
        f"where batch_key = :batch and row > :row and outcome in ({_FAILING})"
    )
)


@dataclass(frozen=True)
class Reader:
    """Whose view of a batch is read: what others hold is told only of projects that it sees."""

    batch: int
    project: int
    organization: int
    visible: frozenset[int] | None

    def values(self) -> dict[str, Any]:
        visible = None if self.visible is None else sorted(self.visible)
        return {
            "batch": self.batch,
            "project": self.project,
            "organization": self.organization,
            "visible": visible,
        }


class Special(NamedTuple):
    """What is to be told of a result beyond its code."""

    device_id: str | None
    duplicate_of_row: int | None
    kit_id: str | None
    holder: str | None


@dataclass(frozen=True)
class Window:
    """Results in order: rows and codes of all, and in the same order what some of them need beyond that.

    `specials`: for codes with SPECIAL. `shown`: for codes with BY_IDENTIFIER, the device's identifier where the
    import wrote it in another way, else an empty text; None if there is no such device at all.
    """

    rows: list[int]
    codes: list[int]
    specials: list[Special]
    shown: list[str] | None
    last: tuple[int, int]

    @cached_property
    def _places(self) -> list[int]:
        return [place for place, code in enumerate(self.codes) if code & SPECIAL]

    @cached_property
    def _shown(self) -> list[str]:
        shown = iter(self.shown or ())
        return [next(shown) if code & BY_IDENTIFIER else "" for code in self.codes]

    def shown_between(self, start: int, stop: int) -> list[str] | None:
        """How the devices of the results from `start` to before `stop` are shown; None: as they are compared."""
        return None if self.shown is None else self._shown[start:stop]

    def specials_between(self, start: int, stop: int) -> Iterator[tuple[int, Special]]:
        """The particulars of the results from `start` to before `stop`, each with its place."""
        first, end = bisect_left(self._places, start), bisect_left(self._places, stop)
        return zip(self._places[first:end], self.specials[first:end], strict=True)


def find_batch(connection: Connection, public_id: str, organization: int) -> RowMapping | None:
    """What reading a batch needs to know of it."""
    values = {"public_id": public_id, "organization": organization}
    return connection.execute(_BATCH, values).mappings().one_or_none()


def fetch_state(connection: Connection, batch: int) -> tuple[str, bool]:
    """The batch's state now, and whether its results are no longer kept."""
    row = connection.execute(_STATE, {"batch": batch}).one()
    return row.state, row.pruned


def find_checkpoints(connection: Connection, batch: int, rows: Sequence[int]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Where to begin to read these rows, as (row, byte_offset, line, last of the rows that are read from there).

    The first three are null for rows before the first checkpoint.
    """
    connection.execute(_KEEP_TO_THE_INDEX)
    return connection.execute(_CHECKPOINTS, {"batch": batch, "rows": list(rows)}).all()


def fetch_results(
    connection: Connection, reader: Reader, after: tuple[int, int], count: int, outcome: Outcome | None
) -> Sequence[Row[Any]]:
    """Up to `count` results behind the (row, position) `after`, of one outcome or of all."""
    connection.execute(_KEEP_TO_THE_INDEX)
    values = reader.values() | {"row": after[0], "position": after[1], "count": count}
    if outcome is None:
        return connection.execute(_ALL_RESULTS, values).all()
    statement = _USUAL_RESULTS if outcome in USUAL else _OTHER_RESULTS
    return connection.execute(statement, values | {"outcome": outcome.number}).all()


def fetch_kits(connection: Connection, batch: int, after: int, count: int) -> Sequence[Row[Any]]:
    """Up to `count` kit rows behind row `after`, as (row, kit_id, devices, outcomes by number)."""
    connection.execute(_KEEP_TO_THE_INDEX)
    return connection.execute(_KITS, {"batch": batch, "row": after, "count": count}).all()


def fetch_window(
    connection: Connection, reader: Reader, after: tuple[int, int], count: int, *, only_failed: bool
) -> Window | None:
    """Up to `count` results behind `after`; of failed rows only the first that failed, and no other rows."""
    statement = _WINDOW_OF_FAILED if only_failed else _WINDOW_OF_ALL
    connection.execute(_KEEP_TO_THE_INDEX)
    values = reader.values() | {"row": after[0], "position": after[1], "count": count}
    found = connection.execute(statement, values).one()
    if found.rows is None:
        return None
    columns = (found.device_ids or (), found.duplicates or (), found.kit_ids or (), found.holders or ())
    last = (found.rows[-1], found.last % (1 << POSITION_BITS))
    return Window(found.rows, found.codes, list(map(Special, *columns)), found.shown, last)
