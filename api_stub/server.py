"""The API's process."""

import asyncio
import math
import signal
import socket
from datetime import timedelta
from types import FrameType
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from api_stub.app import create_app
from api_stub.protocol import BoundedHttp
from worker.errors import EnvironmentProblem
from worker.logs import configure_logging
from worker.memory import collect_rarely
from worker.runtime import build_runtime
from worker.schema import check_schema
from worker.settings import Settings
from worker.tasks.doorbell import CeleryDoorbell

DOORBELL_SECONDS: Final = 1.0
LAST_SECONDS: Final = 1.0
BACKLOG: Final = 2048

log = structlog.get_logger("claimd.api")


class Server(uvicorn.Server):
    """Uvicorn, which tells the endless streams when it is time to end."""

    def __init__(self, app: FastAPI, grace: timedelta) -> None:
        """A server for `app`; requests may go on for `grace` after a signal."""
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedHttp,
                loop="uvloop",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(grace.total_seconds()),
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.stopping.set()
        await super().shutdown(sockets)
        # Those that were cut off give back what they hold.
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=LAST_SECONDS)


def serve(settings: Settings) -> None:
    """Run the API until SIGTERM or SIGINT.

    Raises:
        EnvironmentProblem: the database, its schema, the broker's URL or the address cannot be used.
    """
    configure_logging(settings)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _leave)
    doorbell = CeleryDoorbell(settings)
    runtime = build_runtime(settings, doorbell, settings.database_pool_size)
    try:
        check_schema(runtime.engine)
        with _listen(settings) as listener:
            collect_rarely()
            log.info("api ready", address="{}:{}".format(*listener.getsockname()))
            Server(create_app(runtime), settings.shutdown_grace).run([listener])
    finally:
        doorbell.close(DOORBELL_SECONDS)
        runtime.close()


def _listen(settings: Settings) -> socket.socket:
    address = (settings.api_host, settings.api_port)
    family = socket.AF_INET6 if ":" in settings.api_host else socket.AF_INET
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise EnvironmentProblem(
            f"The API cannot listen on {settings.api_host}:{settings.api_port}: {error.strerror}."
        ) from error


def _leave(_signal: int, _frame: FrameType | None) -> None:
    # Uvicorn raises its signals again once it has stopped; this is the orderly end of the program then.
    raise SystemExit(0)
