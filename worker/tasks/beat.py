"""`claimd beat`: asks for maintenance at intervals. Several of them, or none, are harmless."""

from worker.broker import check_broker
from worker.settings import Settings
from worker.tasks.app import build_app


def run_beat(settings: Settings) -> int:
    """Send the periodic messages until SIGTERM or SIGINT.

    Raises:
        EnvironmentProblem: the broker cannot be used.
    """
    check_broker(settings)
    app = build_app(settings)
    try:
        app.Beat(loglevel=settings.log_level.upper(), quiet=True).run()
    except SystemExit:  # how it ends on a signal
        return 0
    return 1
