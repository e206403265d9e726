"""Doorbells overheard, and said again; and things that look like doorbells."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis

from tests.crash.faults.fragile import Fragile
from worker.states import Queue

QUEUES = [queue.value for queue in Queue]


@dataclass
class Overheard:
    """Every doorbell that anybody rang, and in which queue."""

    messages: list[tuple[str, str]] = field(default_factory=list)

    def say_again(self, client: redis.Redis, *, reverse: bool = False) -> None:
        for queue, message in reversed(self.messages) if reverse else self.messages:
            client.lpush(queue, message)


@contextmanager
def overhearing(fragile: Fragile, *, doubling: bool = False) -> Iterator[Overheard]:
    """Listen to what is sent to the broker; with `doubling`, send each message again at once."""
    overheard = Overheard()
    with fragile.broker_client() as client, fragile.broker_client() as again:
        own = again.client_info()["addr"]
        with client.monitor() as monitor:
            listener = threading.Thread(target=_listen, args=(monitor, overheard, again if doubling else None, own))
            listener.start()
            try:
                yield overheard
            finally:
                again.echo("over")
                listener.join()


def _listen(monitor: redis.client.Monitor, overheard: Overheard, again: redis.Redis | None, own: str) -> None:
    for heard in monitor.listen():  # type: ignore[no-untyped-call]  # redis-py's
        command, queue, message = [*heard["command"].split(" ", 2), "", ""][:3]
        if command.lower() == "echo":
            return
        if command.lower() != "lpush" or queue not in QUEUES or own.endswith(":" + heard["client_port"]):
            continue
        overheard.messages.append((queue, message))
        if again is not None:
            again.lpush(queue, message)
