"""The batch whose results are asked for, if the one who asks may see it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, RowMapping

from worker.errors import InputPruned, NotFound, ResultsNotReady, ResultsPruned
from worker.intake import Dialect
from worker.principal import Principal
from worker.queries import results
from worker.queries.results import Reader
from worker.states import READABLE, BatchState
from worker.times import rfc3339

# From these a batch can go on, and then its results are replaced.
PASSING: Final = frozenset({BatchState.PREVIEWED, BatchState.FAILED})


@dataclass(frozen=True)
class ReadBatch:
    """A batch that is read by someone who sees it."""

    row: RowMapping
    visible_projects: frozenset[int] | None

    @property
    def key(self) -> int:
        return int(self.row["key"])

    @property
    def state(self) -> BatchState:
        return BatchState(self.row["state"])

    @property
    def upload_key(self) -> int:
        return int(self.row["upload_key"])

    @property
    def input_pruned(self) -> bool:
        """Whether its results can be told of, and what was sent cannot."""
        return self.row["input_pruned_at"] is not None

    def require_input(self) -> None:
        """Refuse to go on without what was sent.

        Raises:
            InputPruned: it is no longer kept.
            ResultsNotReady: it is a list that is still to be made.
        """
        if self.input_pruned:
            raise InputPruned(f"The input was kept until {rfc3339(self.row['input_pruned_at'])}.")
        if self.row["upload_key"] is None:
            raise ResultsNotReady("The list of devices is still being made.")

    @property
    def is_csv(self) -> bool:
        return bool(self.row["source"] != "json")

    @cached_property
    def dialect(self) -> Dialect | None:
        """How its input is read, once a worker has found out; never for what cannot be read at all."""
        stored = self.row["dialect"]
        return Dialect.from_json(stored) if stored else None

    @property
    def reader(self) -> Reader:
        return Reader(self.key, self.row["project_key"], self.row["organization_key"], self.visible_projects)


def open_batch(connection: Connection, principal: Principal, batch_id: str) -> ReadBatch:
    """The batch, whatever its state.

    Raises:
        NotFound: there is none, or not for this principal.
    """
    row = results.find_batch(connection, batch_id, principal.organization_key)
    if row is None or not principal.sees_project(row["project_key"]):
        raise NotFound("There is no such batch.")
    return ReadBatch(row, principal.visible_projects)


def open_results(connection: Connection, principal: Principal, batch_id: str) -> ReadBatch:
    """The batch, in a state in which it has results.

    Raises:
        NotFound: there is none, or not for this principal.
        ResultsNotReady: it is still being worked on.
        ResultsPruned: they are no longer kept.
    """
    batch = open_batch(connection, principal, batch_id)
    if batch.state not in READABLE:
        raise ResultsNotReady(f"The batch is {batch.state}: its results can be read when it has ended.")
    if batch.row["results_pruned_at"] is not None:
        raise ResultsPruned(f"The results were kept until {rfc3339(batch.row['results_pruned_at'])}.")
    return batch


def require_same_results(connection: Connection, batch: ReadBatch) -> None:
    """Refuse what was just read if the batch was confirmed or resumed meanwhile: its results are being replaced.

    Raises:
        ResultsNotReady: it was.
        ResultsPruned: they are being deleted.
    """
    state, pruned = results.fetch_state(connection, batch.key)
    if pruned:
        raise ResultsPruned("The results ceased to be kept while they were being read.")
    if batch.state in PASSING and state != batch.state:
        raise ResultsNotReady("The batch was taken up again while its results were being read.")
