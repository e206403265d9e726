"""`claimd beat`: asks for maintenance at intervals. Several of them, or none, are harmless."""

import structlog

from worker.broker import check_broker
from worker.settings import Settings
from worker.tasks.app import build_app

_log = structlog.get_logger(__name__)


def run_beat(settings: Settings) -> int:
    """Send the periodic messages until SIGTERM or SIGINT.

    Raises:
        EnvironmentProblem: the broker cannot be used.
    """
    check_broker(settings)
    app = build_app(settings)
    _log.info("beat ready", schedule=sorted(app.conf.beat_schedule))
    app.Beat(loglevel=settings.log_level.upper(), quiet=True).run()
    return 0
