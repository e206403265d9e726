"""Workers run out of time or memory, are asked to stop, or have no beat: what they were at is done once."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from tests.crash.faults.fragile import APPLYING, Fragile
from tests.crash.scene import large
from tests.embedded.waiting import wait_until
from tests.jobs.conftest import ringing_runtime
from tests.jobs.programs import kill_tree
from worker.states import Queue
from worker.tasks.app import build_app
from worker.tasks.environment import environment_of
from worker.tasks.sweeper import Sweeper

# Celery without its parent, so that its options can be others.
LIMITED = """
import sys
import worker.tasks.app as app
import worker.tasks.pool as pool
from worker.states import Queue
app._time_limits = lambda settings: {{}}
app._OPTIONS |= {options}
sys.exit(pool.main(int(sys.argv[1]), "limited@test", 2, list(Queue)))
"""
BEGUN = "worker.batches.taking.take_turn:after"
_HELD = text("select count(*) from work_item where lease_expires_at is not null")


@contextmanager
def _celery_with(fragile: Fragile, folder: Path, options: dict[str, float]) -> Iterator[psutil.Process]:
    """Celery with these options instead of the worker, until the block ends."""
    kill_tree(fragile.system.programs["worker"].process)
    ours, theirs = os.pipe()
    with (folder / "celery.log").open("wb") as log:
        argv = [sys.executable, "-P", "-c", LIMITED.format(options=options), str(theirs)]
        celery = subprocess.Popen(argv, env=environment_of(fragile.system.settings), pass_fds=[theirs], stderr=log)
    os.close(theirs)
    try:
        wait_until(lambda: b"ready." in (folder / "celery.log").read_bytes())
        yield psutil.Process(celery.pid)
    finally:
        kill_tree(celery)
        os.close(ours)


@pytest.mark.parametrize(
    ("limit", "attempts"),
    [("task_soft_time_limit", {1, 2}), ("task_time_limit", {1})],  # the hard one begins with a SIGTERM
)
def test_a_task_over_its_time_is_ended_and_done_again(
    fragile: Fragile, tmp_path: Path, limit: str, attempts: set[int]
) -> None:
    fragile.undisturbed(large)
    with (
        _celery_with(fragile, tmp_path, {limit: 1}),
        ringing_runtime(fragile.runtime.settings) as ringing,
        Sweeper(ringing),
        fragile.carrying_out(large, held_at=APPLYING) as scene,
    ):
        wait_until(lambda: b"step not done" in (tmp_path / "celery.log").read_bytes())
    assert scene.attempts() == attempts


def test_a_child_that_has_grown_too_large_is_replaced_after_its_task(fragile: Fragile, tmp_path: Path) -> None:
    fragile.undisturbed(large)
    with _celery_with(fragile, tmp_path, {"worker_max_memory_per_child": 1}) as celery:
        before = {child.pid for child in celery.children()}
        with fragile.carrying_out(large):
            pass
        wait_until(lambda: not before & {child.pid for child in celery.children()})


def test_a_child_that_gets_no_more_memory(fragile: Fragile) -> None:
    fragile.undisturbed(large)
    try:
        with fragile.carrying_out(large, held_at=BEGUN):
            starved = psutil.Process(fragile.system.places.wait_held(BEGUN))
            starved.rlimit(resource.RLIMIT_AS, (1, resource.RLIM_INFINITY))
    finally:
        with suppress(psutil.NoSuchProcess):
            starved.kill()


def test_a_worker_that_is_asked_to_stop_in_the_middle_of_a_chunk_hands_it_back_uncounted(fragile: Fragile) -> None:
    with fragile.carrying_out(large, held_at=APPLYING) as scene:
        assert fragile.system.programs["worker"].stop(10) == 0
        with fragile.runtime.transaction() as connection:
            assert connection.execute(_HELD).scalar_one() == 0
        fragile.system.restart("worker")
    assert scene.attempts() == {1}


def test_without_beat_and_with_a_broker_that_forgets_batches_are_carried_through(fragile: Fragile) -> None:
    kill_tree(fragile.system.programs["beat"].process)
    with fragile.carrying_out(large, held_at=APPLYING), fragile.broker_client() as client:
        client.flushall()


def test_no_task_is_acknowledged_late(fragile: Fragile) -> None:
    app = build_app(fragile.system.settings)
    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if not name.startswith("celery.")]
    assert ours
    assert not any(task.acks_late for task in ours)
    assert {queue.name for queue in app.conf.task_queues} == {queue.value for queue in Queue}
