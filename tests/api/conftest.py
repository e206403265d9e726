"""An API with a tenant and a client of it."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.api.serving import Tenant, client_of, make_tenant, running_api
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings


@pytest.fixture
def api_runtime(settings: Settings) -> Iterator[Runtime]:
    """What the API runs on; fewer connections than threads, so that some have to wait."""
    runtime = build_runtime(settings, pool_size=3)
    yield runtime
    runtime.close()


@pytest.fixture
def api_url(api_runtime: Runtime) -> Iterator[str]:
    """The address of a running API."""
    with running_api(api_runtime) as url:
        yield url


@pytest.fixture
def tenant(runtime: Runtime) -> Tenant:
    """Whose token the client shows."""
    return make_tenant(runtime)


@pytest.fixture
def api(api_url: str, tenant: Tenant) -> Iterator[httpx2.Client]:
    """A client of the running API."""
    with client_of(api_url, tenant) as client:
        yield client
