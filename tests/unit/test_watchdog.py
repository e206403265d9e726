"""When the parent of a worker takes its Celery for dead although the process lives."""

import os
from collections.abc import Callable

from worker.tasks.heartbeat import PATIENCE, Heartbeat, Listener, Watchdog

BeatAt = Callable[[int], Heartbeat | None]
SECONDS = int(10 * PATIENCE)


def _complaint(beat_at: BeatAt, waiting: int | None) -> str | None:
    """The first one in many seconds of a worker with two processes."""
    watchdog = Watchdog(concurrency=2, now=0.0)
    found = (watchdog.judge(float(second), beat_at(second), waiting) for second in range(SECONDS))
    return next(filter(None, found), None)


def test_a_worker_that_beats_and_has_nothing_to_do_is_left_alone() -> None:
    assert _complaint(lambda second: Heartbeat(second, 0, 0), waiting=0) is None


def test_a_worker_that_takes_messages_is_left_alone_however_many_wait() -> None:
    assert _complaint(lambda second: Heartbeat(second, second // 10, 1), waiting=1000) is None


def test_a_worker_whose_processes_are_all_busy_for_long_is_left_alone() -> None:
    assert _complaint(lambda second: Heartbeat(second, 2, 2), waiting=1000) is None


def test_a_worker_with_a_free_process_that_takes_nothing_is_deaf() -> None:
    assert _complaint(lambda second: Heartbeat(second, 1, 1), waiting=1) == "deaf"


def test_a_worker_without_heartbeat_is_silent() -> None:
    assert _complaint(lambda _: None, waiting=0) == "silent"
    assert _complaint(lambda _: Heartbeat(7, 0, 0), waiting=0) == "silent"


def test_nothing_is_concluded_while_the_broker_is_away() -> None:
    assert _complaint(lambda _: Heartbeat(7, 0, 0), waiting=None) is None


def test_the_listener_hears_the_latest_whole_line_and_never_waits() -> None:
    ours, theirs = os.pipe()
    listener = Listener(ours)
    assert listener.latest() is None
    os.write(theirs, b"1 2 3\n4 5 6\n7 ")
    assert listener.latest() == Heartbeat(4, 5, 6)
    os.write(theirs, b"8 9\n")
    assert listener.latest() == listener.latest() == Heartbeat(7, 8, 9)
    os.close(theirs)
    assert listener.latest() == Heartbeat(7, 8, 9)
    listener.close()
