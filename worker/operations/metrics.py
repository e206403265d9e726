"""The same for Prometheus, read from the database and the broker at each scrape."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.operations.status import status
from worker.runtime import Runtime
from worker.states import Halt


def render(runtime: Runtime) -> bytes:
    """All metrics in Prometheus's text format; never raises: what cannot be read is missing, and `_up` is 0."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Claimd(status(runtime)))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Claimd(Collector):
    def __init__(self, found: dict[str, Any]) -> None:
        self._database = found["database"]
        self._broker = found["broker"]

    def collect(self) -> Iterator[Metric]:
        yield _gauge("claimd_database_up", "Whether the database can be used.", "problem" not in self._database)
        yield _gauge("claimd_broker_up", "Whether the broker can be used.", "problem" not in self._broker)
        if "problem" not in self._database:
            yield from self._of_the_database()
        if "problem" not in self._broker:
            yield _labelled("claimd_queue_messages", "Messages waiting in the broker.", "queue", self._broker["queues"])

    def _of_the_database(self) -> Iterator[Metric]:
        found = self._database
        yield _gauge("claimd_database_bytes", "Size of the database.", found["bytes"])
        yield _labelled("claimd_batches", "Batches that are not at their end.", "state", found["batches"])
        yield _gauge(
            "claimd_oldest_waiting_batch_seconds",
            "Age of the oldest batch that no worker has begun.",
            found["oldest_waiting_seconds"],
        )
        items = GaugeMetricFamily("claimd_work_items", "Unfinished work items.", labels=["queue", "lease"])
        for queue, counts in found["work"].items():
            for lease, count in counts.items():
                items.add_metric([queue, lease], count)
        yield items
        yield _of_halts(found["halts"])
        yield _labelled("claimd_deliveries", "Deliveries not made, of 100,000 at most.", "state", found["deliveries"])
        yield _gauge("claimd_endpoints_disabled", "Endpoints that are sent nothing.", found["endpoints_disabled"])
        yield _gauge(
            "claimd_business_clock_ahead_seconds",
            "By how much business time is ahead of the clock: 0 in production.",
            found["clock_ahead_seconds"],
        )
        yield from _of_periodic_tasks(found["periodic"])


def _of_halts(found: Sequence[Mapping[str, Any]]) -> Metric:
    """Those of everything are always told of, so that nobody mistakes silence for running."""
    text = "Whether this is paused or drained; of everything where neither is named."
    family = GaugeMetricFamily("claimd_halts", text, labels=["kind", "queue", "organization"])
    ordered = {(halt["kind"], halt["queue"] or "", halt["organization_id"] or "") for halt in found}
    for labels in sorted(ordered | {(kind.value, "", "") for kind in Halt}):
        family.add_metric(labels, float(labels in ordered))
    return family


_PERIODIC = {
    "last_success_seconds": "Time since the task last ended well; absent until then.",
    "lag_seconds": "For how long the oldest thing has been due; 0 if nothing is.",
    "backlog": "How many things are due, of 100,000 at most.",
    "late": "Whether it does not run as often as it should, or does not keep up.",
    "failing": "Whether its last run ended with an error.",
}


def _of_periodic_tasks(found: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    tasks = {task: {**standing, "failing": standing["error"] is not None} for task, standing in found.items()}
    for name, text in _PERIODIC.items():
        values = {task: float(standing[name]) for task, standing in tasks.items() if standing[name] is not None}
        yield _labelled(f"claimd_periodic_{name}", text, "task", values)
    handled = CounterMetricFamily("claimd_periodic_handled", "Things that the task has handled.", labels=["task"])
    for task, standing in tasks.items():
        handled.add_metric([task], standing["handled"])
    yield handled


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
