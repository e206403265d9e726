"""API servers for tests: real ones, in a thread of the test run."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import httpx2

from api_stub.app import create_app
from api_stub.server import Server
from worker import accounts
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import Role

T = TypeVar("T")


@dataclass(frozen=True)
class Tenant:
    """An organization with one project and a token that may do everything in it."""

    organization_id: str
    project_id: str
    token: str

    @property
    def uploads(self) -> str:
        """Where its batches are posted to."""
        return f"/v1/projects/{self.project_id}/claim-batches"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def make_tenant(runtime: Runtime, *roles: Role) -> Tenant:
    """A new organization; its token has `roles`, or is its administrator and a manufacturer."""
    organization = accounts.create_organization(runtime, "Installers")["id"]
    project = accounts.create_project(runtime, organization, "Roofs")["id"]
    granted = roles or (Role.ORGANIZATION_ADMIN, Role.MANUFACTURER)
    token = accounts.create_token(runtime, organization, "tests", granted)
    return Tenant(organization, project, token.secret)


@contextmanager
def running_api(runtime: Runtime) -> Iterator[str]:
    """The address of an API on `runtime`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(create_app(runtime), timedelta(seconds=2))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield "http://{}:{}".format(*listener.getsockname())
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


@contextmanager
def running_api_with(settings: Settings, **overrides: object) -> Iterator[str]:
    """The address of an API with some settings changed."""
    runtime = build_runtime(settings.model_copy(update=overrides), pool_size=3)
    try:
        with running_api(runtime) as url:
            yield url
    finally:
        runtime.close()


def client_of(url: str, tenant: Tenant) -> httpx2.Client:
    """A client that shows the tenant's token."""
    return httpx2.Client(base_url=url, headers=tenant.headers, timeout=30)


def wait_for(look: Callable[[], T], seconds: float = 20) -> T:
    """What `look` finds once it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found
