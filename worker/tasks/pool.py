"""Celery's main process: `python -m worker.tasks.pool PIPE NAME CONCURRENCY QUEUE…`.

It opens no database connection, so that its children share none by the fork.
"""

import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

from billiard.util import get_logger, set_pdeathsig  # type: ignore[attr-defined]  # missing in its stubs
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning

from worker.logs import configure_logging
from worker.settings import load_settings
from worker.states import Queue
from worker.tasks.app import build_app
from worker.tasks.heartbeat import Beating
from worker.tasks.transport import drop_hostile_messages

# Of running as root, which matters for pickled messages; and at each loss of the broker, of late acknowledgement.
_IDLE_WARNINGS = (SecurityWarning, CPendingDeprecationWarning)


def main(heartbeat: int, name: str, concurrency: int, queues: Sequence[Queue]) -> int:
    """Work until SIGTERM or the end of whoever reads from the pipe `heartbeat`; returns the exit code."""
    with suppress(OSError):  # only Linux has it; elsewhere the heartbeat notices
        set_pdeathsig(signal.SIGTERM)
    settings = load_settings()
    configure_logging(settings)
    get_logger().propagate = True  # what billiard says of its children
    for category in _IDLE_WARNINGS:
        warnings.simplefilter("ignore", category)
    drop_hostile_messages()
    app = build_app(settings)
    app.steps["worker"].add(Beating)
    worker = app.Worker(
        hostname=name,
        queues=[queue.value for queue in queues],
        concurrency=concurrency,
        loglevel=settings.log_level.upper(),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        heartbeat_pipe=heartbeat,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    _, pipe, node, processes, *names = sys.argv
    sys.argv[1:] = names  # Celery shows them in the process list
    sys.exit(main(int(pipe), node, int(processes), [Queue(name) for name in names]))
