"""Whether claimd lives, whether it can work, and how it does."""

from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from redis import RedisError

from api_stub.auth import RuntimeDep
from api_stub.openapi import refuses, streams
from api_stub.problems import Unavailable
from api_stub.replies import Document
from worker.broker import connect_broker
from worker.errors import EnvironmentProblem
from worker.operations import metrics
from worker.operations.halts import list_halts
from worker.operations.standings import late_tasks
from worker.schema import check_schema
from worker.settings import Settings

router = APIRouter(tags=["operation"])

BROKER_SECONDS: Final = 0.5
_OF_HALTS: Final = ("kind", "queue", "organization_id", "created_at")


@router.get("/healthz")
async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: refuses()[503]})
def readiness(runtime: RuntimeDep) -> Response:
    """The database can be used; without the broker uploads are taken and wait.

    `late` names the periodic tasks that do not keep up, `halts` what is paused or drained: for operators, and no reason
    to send requests elsewhere.
    """
    try:
        check_schema(runtime.engine)
        late = late_tasks(runtime)
        # Without their reasons: whoever asks has shown no token.
        halts = [{name: halt[name] for name in _OF_HALTS} for halt in list_halts(runtime)]
    except EnvironmentProblem as problem:
        raise Unavailable(str(problem)) from problem
    broker = _broker_state(runtime.settings)
    return Document({"status": "ready", "database": "ok", "broker": broker, "late": late, "halts": halts})


@router.get("/metrics", response_class=Response, responses=streams(CONTENT_TYPE_LATEST, "# HELP …\n"))
def show_metrics(runtime: RuntimeDep) -> Response:
    """Counts and times for Prometheus."""
    return Response(metrics.render(runtime), media_type=CONTENT_TYPE_LATEST)


def _broker_state(settings: Settings) -> str:
    try:
        with connect_broker(settings, BROKER_SECONDS) as client:
            client.ping()
    except (EnvironmentProblem, RedisError):
        return "unreachable"
    return "ok"
