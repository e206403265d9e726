"""Receivers on this machine, and the tenant's endpoints."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.api.serving import Tenant
from tests.receiver import Receiver, running_receiver
from worker.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Impatient ones, for receivers on this machine, which get one delivery after the other."""
    patience = timedelta(seconds=1)
    changes = {"webhook_allow_private": True, "webhook_timeout": patience, "webhook_concurrency": 1}
    return settings.model_copy(update=changes)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real one."""
    with running_receiver() as started:
        yield started


@pytest.fixture
def endpoints(tenant: Tenant) -> str:
    """The address of the tenant's endpoints."""
    return f"/v1/organizations/{tenant.organization_id}/endpoints"
