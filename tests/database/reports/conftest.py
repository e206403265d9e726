"""Who sends and who reads."""

import pytest

from tests.claims import Sender, new_sender
from worker.runtime import Runtime


@pytest.fixture
def sender(runtime: Runtime) -> Sender:
    return new_sender(runtime, "North")
