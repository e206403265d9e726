"""Doorbells doubled, reversed, late, or forged: each device is still claimed once, and workers go on."""

import json

from tests.crash.faults.fragile import Fragile
from tests.crash.faults.hostile import HOSTILE
from tests.crash.faults.messages import QUEUES, overhearing
from tests.crash.scene import large, small
from tests.embedded.waiting import wait_until
from worker.tasks.transport import is_doorbell


def test_every_doorbell_doubled(fragile: Fragile) -> None:
    with overhearing(fragile, doubling=True) as overheard, fragile.carrying_out(large):
        pass
    assert overheard.messages
    assert [message for _, message in overheard.messages if not is_doorbell(json.loads(message))] == []


def test_doorbells_of_three_batches_in_the_wrong_order(fragile: Fragile) -> None:
    expected = fragile.undisturbed(large)
    scenes = [fragile.new_scene() for _ in range(3)]
    celery = fragile.system.programs["worker"].celery
    with fragile.broker_client() as client:
        celery.suspend()
        for scene in scenes:
            scene.send(scene.csv(*scene.devices, scene.devices[3], "unknown"))
        wait_until(lambda: sum(client.llen(queue) for queue in QUEUES) > 1)
        for queue in QUEUES:
            for message in client.lrange(queue, 0, -1):
                client.lrem(queue, 1, message)
                client.lpush(queue, message)
        celery.resume()
    for scene in scenes:
        fragile.assert_told(scene, expected)


def test_doorbells_that_come_when_the_batch_has_long_ended(fragile: Fragile) -> None:
    with fragile.broker_client() as client, overhearing(fragile) as overheard:
        expected, scene = fragile.undisturbed(large), fragile.new_scene()
        large(scene)
        fragile.assert_told(scene, expected)
        overheard.say_again(client, reverse=True)
        wait_until(lambda: not any(client.llen(queue) for queue in QUEUES))
        fragile.assert_told(scene, expected)


def test_hostile_messages_in_every_queue_stop_nobody(fragile: Fragile) -> None:
    fragile.undisturbed(small)
    celery, children = fragile.celery(), {each.pid for each in fragile.system.programs["worker"].children}
    with fragile.broker_client() as client:
        for queue in QUEUES:
            for message in HOSTILE.values():
                client.lpush(queue, message if isinstance(message, bytes) else json.dumps(message))
        with fragile.carrying_out(small):
            wait_until(lambda: not any(client.llen(queue) for queue in QUEUES))
        with fragile.carrying_out(large):
            pass
    assert fragile.celery() == celery
    assert {each.pid for each in fragile.system.programs["worker"].children} == children
