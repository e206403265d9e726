"""`claimd flower`: watches the workers, and changes nothing."""

import asyncio
import signal
from pathlib import Path

import structlog
from flower.app import Flower
from flower.command import extract_settings
from flower.options import options
from flower.urls import settings as flower_settings
from flower.views.tasks import TASK_COLUMNS

from worker.broker import check_broker
from worker.errors import EnvironmentProblem
from worker.settings import Settings
from worker.tasks.app import build_app

_log = structlog.get_logger(__name__)
_CONFIG = Path(__file__).with_name("flowerconfig.py")


def run_flower(settings: Settings) -> int:
    """Serve Flower until SIGTERM or SIGINT.

    Raises:
        EnvironmentProblem: it has no password, the address is taken, or the broker cannot be used.
    """
    _configure(settings)
    check_broker(settings)
    asyncio.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    flower = Flower(options=options, capp=build_app(settings), **flower_settings)
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    try:
        port = flower.start_http_server()
    except OSError as error:
        where = f"{settings.flower_host}:{settings.flower_port}"
        raise EnvironmentProblem(f"Flower cannot listen on {where}: {error.strerror}.") from error
    _log.info("flower ready", host=settings.flower_host, port=port)
    flower.events.start()
    flower.started = True
    flower.update_workers()
    await over.wait()
    flower.events.stop()
    flower.executor.shutdown(wait=False, cancel_futures=True)


def _configure(settings: Settings) -> None:
    if settings.flower_password is None:
        raise EnvironmentProblem("Flower does not start without a password: set CLAIMD_FLOWER_PASSWORD.")
    TASK_COLUMNS["args"] = "Batch"
    options.parse_config_file(str(_CONFIG))
    options.address = settings.flower_host
    options.port = settings.flower_port
    options.basic_auth = [f"{settings.flower_user}:{settings.flower_password.get_secret_value()}"]
    extract_settings()
