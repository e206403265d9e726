"""The same for Prometheus, read from the database and the broker at each scrape."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from worker.operations.status import status
from worker.runtime import Runtime


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

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge("claimd_database_up", "Whether the database can be used.", "problem" not in self._database)
        yield _gauge("claimd_broker_up", "Whether the broker can be used.", "problem" not in self._broker)
        if "problem" not in self._database:
            yield from self._of_the_database()
        if "problem" not in self._broker:
            yield _labelled("claimd_queue_messages", "Messages waiting in the broker.", "queue", self._broker["queues"])

    def _of_the_database(self) -> Iterator[GaugeMetricFamily]:
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


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
