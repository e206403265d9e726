"""Whatever two organizations do, in whatever order and whoever dies, they are told what the model says.

MODEL_EXAMPLES sets how many examples are tried: 50 that are always the same, or as many others as are wished for.
"""

import os
import random
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.crash.model.actors import new_stage
from tests.crash.model.machine import Doings
from tests.crash.system import System
from worker.operations.verify import verify
from worker.runtime import Runtime

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "50"))
STEPS = 8


@pytest.mark.timeout(60 + 6 * EXAMPLES)
def test_any_doings_in_any_trouble_come_to_what_the_model_says(system: System, crash_runtime: Runtime) -> None:
    troubles = _troubles(system)

    def begin() -> Doings:
        return Doings(crash_runtime, lambda: new_stage(crash_runtime, system.api_url), troubles)

    run_state_machine_as_test(
        begin,  # type: ignore[arg-type]  # it is only called
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=EXAMPLES == 50,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert verify(crash_runtime) == []


def _troubles(system: System) -> dict[str, Callable[[], None]]:
    return {"kill a worker": lambda: _kill_child(system), "flush the broker": lambda: _flush(system)}


def _kill_child(system: System) -> None:
    with suppress(psutil.NoSuchProcess, IndexError):
        random.choice(system.programs["worker"].children).kill()  # noqa: S311  # any


def _flush(system: System) -> None:
    with redis.Redis.from_url(system.settings.require_broker_url()) as client:
        client.flushdb()
