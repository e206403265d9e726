"""The application: routes around use-cases, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api_stub.handlers import add_handlers
from api_stub.middleware import RequestContext
from api_stub.openapi import complete_openapi, describe_api, name_of
from api_stub.routes import (
    batches,
    deliveries,
    digests,
    endpoints,
    events,
    health,
    holdings,
    inventory,
    meta,
    plans,
    results,
    submit,
    subscriptions,
)
from worker.runtime import Runtime
from worker.version import __version__

ROUTES = (
    submit,
    batches,
    results,
    events,
    holdings,
    plans,
    subscriptions,
    inventory,
    digests,
    endpoints,
    deliveries,
    health,
    meta,
)


def create_app(runtime: Runtime) -> FastAPI:
    """The HTTP API on a runtime, which stays the caller's to close."""
    app = FastAPIOffline(
        redoc_url=None,
        title="claimd",
        version=__version__,
        description=describe_api(),
        lifespan=_lifespan,
        generate_unique_id_function=name_of,
        swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True},
    )
    app.state.runtime = runtime
    for routes in ROUTES:
        app.include_router(routes.router)
    add_handlers(app)
    app.add_middleware(RequestContext)
    complete_openapi(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    runtime: Runtime = app.state.runtime
    anyio.to_thread.current_default_thread_limiter().total_tokens = runtime.settings.api_threads
    app.state.stopping = asyncio.Event()
    yield
