"""The broker as seen beside Celery: whether it can be used, and how much waits in it."""

import redis

from worker.errors import EnvironmentProblem
from worker.settings import Settings
from worker.states import Queue

OLDEST_SERVER = (6, 2)
SCHEMES = ("redis://", "rediss://")


def connect_broker(settings: Settings, timeout: float) -> redis.Redis:
    """A client that gives up after `timeout` seconds; connects when it is first used.

    Raises:
        EnvironmentProblem: the URL is missing or not one of a Redis server.
    """
    url = settings.require_broker_url()
    if not url.startswith(SCHEMES):
        raise EnvironmentProblem("CLAIMD_BROKER_URL must be a Redis URL, `redis://…` or `rediss://…`.")
    try:
        return redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=None, decode_responses=True
        )
    except ValueError as error:
        # The library's message can quote a piece of the password.
        raise EnvironmentProblem("CLAIMD_BROKER_URL is not a URL that can be used.") from error


def check_broker(settings: Settings) -> None:
    """Refuse a broker that cannot be reached or is too old.

    Raises:
        EnvironmentProblem: with one sentence that says which.
    """
    with connect_broker(settings, timeout=5.0) as client:
        try:
            version = server_version(client)
        except redis.RedisError as error:
            where = client.connection_pool.connection_kwargs
            place = f"{where.get('host', 'localhost')}:{where.get('port', 6379)}"
            raise EnvironmentProblem(f"The broker at {place} cannot be used: {_first_line(error)}") from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SERVER:
        raise EnvironmentProblem(f"claimd needs Redis 6.2 or later, or Valkey; this is Redis {version}.")


def server_version(client: redis.Redis) -> str:
    """The version of Redis that the server is compatible with, such as `7.2.4`."""
    return str(client.info("server")["redis_version"])


def queue_lengths(client: redis.Redis) -> dict[Queue, int]:
    """How many messages wait in each queue."""
    with client.pipeline(transaction=False) as pipeline:
        for queue in Queue:
            pipeline.llen(queue.value)
        return dict(zip(Queue, pipeline.execute(), strict=True))


def _first_line(error: redis.RedisError) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
