"""The line that is logged for each accepted batch: what tells a restored database which ones it has never seen."""

from typing import Any, Final

import structlog

from worker.principal import Principal

log = structlog.get_logger("claimd.batches")

ACCEPTED: Final = "batch accepted"
_TOLD: Final = ("operation", "parent", "reference", "file_name", "input_sha256", "input_bytes", "created_at")


def log_accepted(principal: Principal, document: dict[str, Any]) -> None:
    """Log a batch that is committed, before anybody is told that it was accepted."""
    told = {name: document[name] for name in _TOLD}
    organization, project = principal.organization_id, document["project_id"]
    log.info(ACCEPTED, batch_id=document["id"], organization_id=organization, project_id=project, **told)
