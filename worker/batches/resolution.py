"""Resolve: from the stored bytes to entries with device keys, under one snapshot of the inventory."""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from worker.batches.entries import ENTRY, Entries
from worker.batches.windows import Keys, Window, read_ahead, read_windows
from worker.inputs import read_input
from worker.intake import Dialect, Group, InputRejected, Limits, RefKind, Source, detect, read_groups
from worker.queries import lookups
from worker.queries.batches import Batch
from worker.queries.calendar import find_activation_days_of_batch
from worker.runtime import Runtime
from worker.states import NamedBy, Operation

SMALL_INPUT = 1_000_000  # bytes
UNLIMITED = 2**31 - 1


@dataclass(frozen=True)
class Resolution:
    """What resolve found: it depends on nothing but the input and the snapshot."""

    dialect: Dialect
    rows_total: int
    entries: Entries
    kit_rows: npt.NDArray[np.int64]  # shape (kit rows, 2): row, and the kit's key or 0
    checkpoints: npt.NDArray[np.int64]  # shape (groups but the first, 3): row, byte offset, line


def resolve_input(runtime: Runtime, connection: Connection, batch: Batch) -> Resolution:
    """Read the whole input and look up all that it names, in the caller's transaction of one snapshot.

    Raises:
        InputRejected: the input as a whole cannot be used.
    """
    limits = _limits(runtime, batch)
    source: Source = "json" if batch.source == "json" else "csv"
    is_small = batch.input_bytes <= SMALL_INPUT
    open_blocks = _opener(runtime, batch, connection if is_small else None)
    dialect = detect(open_blocks, source, limits)
    resolver = _Resolver(runtime, connection, batch, dialect)
    has_days = dialect.day_column is not None and batch.operation is Operation.CLAIM
    days = find_activation_days_of_batch(connection, batch.key) if has_days else None
    windows = read_windows(dialect, _groups(batch, open_blocks(), dialect, limits), days)
    for some in windows if is_small else read_ahead(windows):
        resolver.add(some)
    return resolver.finish()


def _limits(runtime: Runtime, batch: Batch) -> Limits:
    """A list that claimd made has a row for each device, and is as long as need be."""
    return Limits(rows=UNLIMITED if batch.source == "devices" else runtime.settings.max_rows)


def _groups(batch: Batch, blocks: Iterator[bytes], dialect: Dialect, limits: Limits) -> Iterator[Group]:
    """The groups of the input; what a batch or a project holds may be nothing."""
    try:
        yield from read_groups(blocks, dialect, limits)
    except InputRejected as rejected:
        if batch.source != "devices" or rejected.problem_type != "empty":
            raise


def _opener(runtime: Runtime, batch: Batch, connection: Connection | None) -> Callable[[], Iterator[bytes]]:
    """Opens the input as often as needed; with a connection of its caller it is fetched once and kept."""
    assert batch.upload_key is not None, batch.key  # noqa: S101  # the database lets only a source of devices come later
    if connection is None:
        return partial(read_input, runtime, batch.upload_key)
    blocks = list(read_input(runtime, batch.upload_key, connection=connection))
    return lambda: iter(blocks)


class _Resolver:
    """Collects the entries of window after window."""

    def __init__(self, runtime: Runtime, connection: Connection, batch: Batch, dialect: Dialect) -> None:
        self._runtime = runtime
        self._connection = connection
        self._project = batch.project_key
        self._limit = UNLIMITED if batch.repeats_its_parent else runtime.settings.max_results
        self._dialect = dialect
        self._rows = 0
        self._results = 0
        self._entries: list[Entries] = []
        self._kit_rows: list[npt.NDArray[np.int64]] = []
        self._checkpoints: list[tuple[int, int, int]] = []

    def add(self, some: Window) -> None:
        self._checkpoints += [(place.row, place.offset, place.line) for place in some.places]
        self._rows = int(some.rows[-1])
        entries = self._look_up(some)
        self._entries.append(entries)
        self._results += len(entries)
        self._refuse_too_many()

    def finish(self) -> Resolution:
        return Resolution(
            dialect=self._dialect,
            rows_total=self._rows,
            entries=np.concatenate([np.empty(0, dtype=ENTRY), *self._entries]),
            kit_rows=np.concatenate([np.empty((0, 2), dtype=np.int64), *self._kit_rows]),
            checkpoints=np.array(self._checkpoints[1:], dtype=np.int64).reshape(-1, 3),
        )

    def _look_up(self, some: Window) -> Entries:
        names_device = np.isin(some.kinds, (RefKind.DEVICE, RefKind.ANY))
        device_keys = some.look_up(names_device, lambda names: lookups.find_devices(self._connection, names))
        self._match_codes(some, device_keys)
        kit_keys = self._find_kits(some, device_keys)
        singles = some.single_entries(device_keys, kit_keys > 0)
        if not kit_keys.any():
            return singles
        entries = np.concatenate([singles, self._open_kits(some, kit_keys)])
        return entries[np.argsort(entries["row"], kind="stable")]

    def _find_kits(self, some: Window, device_keys: Keys) -> Keys:
        maybe = (some.kinds == RefKind.KIT) | ((some.kinds == RefKind.ANY) & (device_keys == 0))
        kit_keys = some.look_up(maybe, lambda names: lookups.find_kits(self._connection, names))
        named = (some.kinds == RefKind.KIT) | (kit_keys > 0)
        if named.any():
            self._kit_rows.append(np.column_stack([some.rows[named].astype(np.int64), kit_keys[named]]))
        return kit_keys

    def _open_kits(self, some: Window, kit_keys: Keys) -> Entries:
        at = np.flatnonzero(kit_keys)
        devices = lookups.find_kit_devices(self._connection, np.unique(kit_keys[at]))
        first = np.searchsorted(devices[:, 0], kit_keys[at], side="left")
        count = np.searchsorted(devices[:, 0], kit_keys[at], side="right") - first
        entries = np.zeros(int(count.sum()), dtype=ENTRY)
        position = np.arange(len(entries)) - np.repeat(np.cumsum(count) - count, count)
        entries["row"] = np.repeat(some.rows[at], count)
        entries["position"] = position
        entries["named_by"] = NamedBy.KIT_ID
        entries["device_key"] = devices[np.repeat(first, count) + position, 1]
        entries["activate_on"] = np.repeat(some.days[at], count)
        entries["report_row"] = np.repeat(some.report_rows[at], count)
        return entries

    def _match_codes(self, some: Window, device_keys: Keys) -> None:
        found = lookups.find_serials(self._connection, {some.identifiers[at] for at in some.codes})
        for at, code in some.codes.items():
            serial_number = some.identifiers[at]
            row = found.get(serial_number)
            if row is not None and self._opens(serial_number, code, row):
                device_keys[at] = row.device_key

    def _opens(self, serial_number: str, code: str, row: lookups.SerialRow) -> bool:
        """Whether the pair leads to the device; a claim uses the code up, and its own holder needs none."""
        if row.holder is not None:
            return row.holder == self._project
        expected = self._runtime.keys.hash_code(serial_number, code)
        return row.code_hash is not None and hmac.compare_digest(expected, row.code_hash)

    def _refuse_too_many(self) -> None:
        if self._results > self._limit:
            raise InputRejected(
                "too-many-results",
                "Too many devices",
                f"With its kits opened, the input names more than {self._limit:,} devices. Split it.",
            )
