"""When the parent of a worker takes its Celery for dead although the process lives."""

from collections.abc import Callable
from pathlib import Path

from worker.tasks.heartbeat import PATIENCE, Heartbeat, Watchdog, read_heartbeat

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


def test_half_a_heartbeat_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    assert read_heartbeat(path) is None
    path.write_text("1 2")
    assert read_heartbeat(path) is None
    path.write_text("1 2 3")
    assert read_heartbeat(path) == Heartbeat(1, 2, 3)
