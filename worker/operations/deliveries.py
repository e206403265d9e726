"""Deliveries with all that goes into them: channels know nothing of reports, and reports nothing of channels."""

from typing import Final

from worker.errors import Refused
from worker.notifications.delivering import deliver_due
from worker.notifications.message import Attachment
from worker.principal import Principal
from worker.queries.deliveries import Reader, find_reader
from worker.reports import report_csv
from worker.runtime import Runtime
from worker.states import Role

MOST_ATTACHED: Final = 5_000_000


def deliver(runtime: Runtime) -> int:
    """Try all deliveries that are due; returns how many were tried or given up."""
    return deliver_due(runtime, lambda endpoint, batch_id: failed_rows(runtime, endpoint, batch_id))


def failed_rows(runtime: Runtime, endpoint: int, batch_id: str, most: int = MOST_ATTACHED) -> Attachment | None:
    """The rows of a batch that failed, up to `most` bytes of them, as the endpoint's owner sees them; None: pruned."""
    with runtime.transaction() as connection:
        reader = find_reader(connection, endpoint)
    content = bytearray()
    name = f"{batch_id}-failed.csv"
    try:
        for piece in report_csv(runtime, _principal(reader), batch_id, only_failed=True):
            if len(content) + len(piece) > most:
                return Attachment(name, bytes(content), complete=False)
            content += piece
    except Refused:
        return None
    return Attachment(name, bytes(content), complete=True)


def _principal(reader: Reader) -> Principal:
    """An endpoint of the organization sees all of it; that of a project, only what happens there."""
    of_project = reader.project_key is not None
    return Principal(
        token_key=0,
        token_id="",
        name="claimd",
        organization_key=reader.organization_key,
        organization_id=reader.organization_id,
        roles=frozenset({Role.VIEWER if of_project else Role.ORGANIZATION_ADMIN}),
        project_keys=frozenset() if reader.project_key is None else frozenset({reader.project_key}),
    )
