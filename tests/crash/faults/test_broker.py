"""The broker dies, forgets, freezes or is cut off: a delay, and nothing else."""

import os
import shutil
import signal
import time

from tests.crash.faults.fragile import APPLYING, Fragile
from tests.crash.scene import large, small


def test_a_broker_that_is_killed_and_comes_back_empty_costs_nothing(fragile: Fragile) -> None:
    with fragile.carrying_out(large, held_at=APPLYING):
        assert fragile.broker.process is not None
        fragile.broker.process.kill()
        fragile.broker.process.wait()
        shutil.rmtree(fragile.broker.folder)
        fragile.broker.start()


def test_a_broker_that_forgets_everything_in_mid_batch_costs_nothing(fragile: Fragile) -> None:
    with fragile.carrying_out(large, held_at=APPLYING), fragile.broker_client() as client:
        client.flushall()


def test_a_frozen_broker_keeps_no_upload_waiting_and_work_goes_on_when_it_thaws(fragile: Fragile) -> None:
    expected, scene = fragile.undisturbed(large), fragile.new_scene()
    assert fragile.broker.process is not None
    os.kill(fragile.broker.process.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        scene.send(scene.csv(*scene.devices, scene.devices[3], "unknown"))
        assert time.monotonic() - started < 2
    finally:
        os.kill(fragile.broker.process.pid, signal.SIGCONT)
    fragile.assert_told(scene, expected)


def test_an_upload_is_taken_while_nothing_reaches_the_broker(fragile: Fragile) -> None:
    expected, scene = fragile.undisturbed(small), fragile.new_scene()
    fragile.networks["broker"].swallow()
    started = time.monotonic()
    scene.send(scene.csv(*scene.devices[:20], scene.devices[3], "unknown", "bad id!"))
    assert time.monotonic() - started < 2
    fragile.networks["broker"].heal()
    fragile.assert_told(scene, expected)
