"""Whether another batch is taken in: not while operators drain, and not beyond what may wait."""

from sqlalchemy import Connection

from worker.errors import Refused
from worker.queries import batches
from worker.queries.halts import is_halted
from worker.settings import Settings
from worker.states import Halt, Queue

_RETRY_AFTER = 5
_RETRY_AFTER_DRAIN = 60


class TooManyWaiting(Refused):
    """Too many batches are waiting."""

    status = 429
    problem_type = "too-many-waiting"


class Draining(Refused):
    """No new batches are taken at the moment."""

    status = 503
    problem_type = "draining"


def check_admission(connection: Connection, settings: Settings, organization_key: int, queue: Queue) -> None:
    """Refuse another batch for this queue.

    Raises:
        Draining: operators have ordered it.
        TooManyWaiting: the organization, or all together, have too many unfinished batches.
    """
    if is_halted(connection, Halt.DRAIN, queue, organization_key):
        raise Draining("claimd is being drained; send it again later.", retry_after=_RETRY_AFTER_DRAIN)
    limit = settings.max_waiting_batches
    if batches.count_waiting(connection, organization_key, limit) >= limit:
        raise TooManyWaiting(f"{limit:,} batches of this organization are waiting already.", retry_after=_RETRY_AFTER)
    limit = settings.max_waiting_in_all
    if batches.count_waiting(connection, None, limit) >= limit:
        raise TooManyWaiting(f"{limit:,} batches are waiting already.", retry_after=_RETRY_AFTER)
