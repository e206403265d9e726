"""A fault every few seconds, and how long it takes until a kit that is sent then is claimed."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import psutil
import psycopg
import redis

from tests.soak.client import Client
from tests.soak.faults import Faults
from worker.errors import EnvironmentProblem

_PAUSE: Final = (2.0, 6.0)
# What was to be broken may just be broken already.
_TOO_LATE: Final = (psutil.Error, psycopg.OperationalError, redis.RedisError, EnvironmentProblem, OSError)


def make_trouble(faults: Faults, probes: list[Client], chance: random.Random, is_over: Callable[[], bool]) -> None:
    """Break one thing after the other, all kinds equally often, in any order."""
    order: list[str] = []
    with ThreadPoolExecutor(len(probes)) as pool:
        free = list(probes)
        while not is_over():
            order = order or chance.sample(list(faults.kinds), len(faults.kinds))
            kind = order.pop()
            began = time.monotonic()
            if _break(faults, kind, probes[0]) and free:
                pool.submit(_probe, free.pop(), kind, began, free)
            time.sleep(chance.uniform(*_PAUSE))


def _break(faults: Faults, kind: str, probe: Client) -> bool:
    try:
        faults.kinds[kind]()
    except _TOO_LATE:
        return False
    probe.sender.tally.fault(kind)
    return True


def _probe(probe: Client, kind: str, began: float, free: list[Client]) -> None:
    """Claim a kit; a prober does one thing at a time."""
    try:
        if probe.claim_a_kit():
            probe.sender.tally.recovered(kind, time.monotonic() - began)
    finally:
        free.append(probe)
