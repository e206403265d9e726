"""How claimd is doing, for people and for health checks."""

from typing import Any

from redis import RedisError
from sqlalchemy.exc import OperationalError

from worker.broker import connect_broker, queue_lengths, server_version
from worker.database import first_sentence
from worker.errors import EnvironmentProblem
from worker.operations.standings import COUNTED, read_standings
from worker.queries import operations
from worker.queries.clock import read_ahead
from worker.queries.halts import fetch_halts
from worker.runtime import Runtime
from worker.schema import check_schema, expected_revision
from worker.states import Queue
from worker.version import __version__

BROKER_TIMEOUT = 1.0


def status(runtime: Runtime) -> dict[str, Any]:
    """Servers, queues, batches, work, periodic tasks. What cannot be read is replaced by its `problem`; never raises.

    `healthy` means that both servers can be used; the fortunes of batches and tasks are no part of it.
    """
    database, broker = _database(runtime), _broker(runtime)
    healthy = "problem" not in database and "problem" not in broker
    return {"healthy": healthy, "version": __version__, "database": database, "broker": broker}


def _database(runtime: Runtime) -> dict[str, Any]:
    try:
        check_schema(runtime.engine)
        with runtime.transaction() as connection:
            server = operations.describe_server(connection)
            batches = operations.count_batches(connection)
            oldest = operations.oldest_waiting(connection)
            work = operations.count_work(connection)
            periodic = read_standings(connection, runtime.settings)
            told = operations.count_notifications(connection, COUNTED)
            ahead = read_ahead(connection)
            halts = fetch_halts(connection)
    except EnvironmentProblem as error:
        return {"problem": str(error)}
    except OperationalError as error:
        return {"problem": first_sentence(error)}
    nothing = operations.Work(0, 0, 0)
    return {
        "server": server.version,
        "bytes": server.bytes,
        "schema": expected_revision(),
        "batches": {state.value: count for state, count in batches.items()},
        "oldest_waiting_seconds": round(oldest, 3),
        "halts": [dict(halt) for halt in halts],
        "work": {queue.value: vars(work.get(queue.value, nothing)) for queue in (Queue.INTERACTIVE, Queue.BULK)},
        "periodic": {task.value: standing.document() for task, standing in periodic.items()},
        "deliveries": {"waiting": told.waiting, "dead": told.dead},
        "endpoints_disabled": told.disabled,
        "clock_ahead_seconds": ahead.total_seconds(),
    }


def _broker(runtime: Runtime) -> dict[str, Any]:
    try:
        with connect_broker(runtime.settings, BROKER_TIMEOUT) as client:
            return {
                "server": server_version(client),
                "queues": {queue.value: count for queue, count in queue_lengths(client).items()},
            }
    except EnvironmentProblem as error:
        return {"problem": str(error)}
    except RedisError as error:
        return {"problem": f"The broker cannot be used: {error}"}
