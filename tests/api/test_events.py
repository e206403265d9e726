"""Watching a batch by server-sent events."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2

from tests.api.serving import Tenant
from worker.batches.work import run_resolve
from worker.runtime import Runtime

CSV = {"file": ("a.csv", b"device_id\nSNS-1\n")}


def events_of(stream: httpx2.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and data of each event, comments left out."""
    name = ""
    for line in stream.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_a_batch_is_followed_to_its_end(api: httpx2.Client, tenant: Tenant, runtime: Runtime) -> None:
    batch = api.post(tenant.uploads, files=CSV).json()
    with api.stream("GET", f"/v1/claim-batches/{batch['id']}/events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert stream.headers["Cache-Control"] == "no-cache"
        events = events_of(stream)
        assert next(events) == ("progress", batch)
        run_resolve(runtime, batch["id"])
        rest = list(events)
    assert [name for name, _ in rest[:-1]] == ["progress"] * (len(rest) - 1)
    name, last = rest[-1]
    assert (name, last["state"]) == ("end", "completed")
    assert last == api.get(f"/v1/claim-batches/{batch['id']}").json()


def test_a_preview_ends_the_stream_and_a_finished_batch_has_only_an_end(
    api: httpx2.Client, tenant: Tenant, runtime: Runtime
) -> None:
    batch = api.post(tenant.uploads, params={"preview": "true"}, files=CSV).json()
    run_resolve(runtime, batch["id"])
    with api.stream("GET", f"/v1/claim-batches/{batch['id']}/events") as stream:
        events = list(events_of(stream))
    assert [(name, data["state"]) for name, data in events] == [("end", "previewed")]


def test_what_cannot_be_seen_is_refused_before_the_stream(api: httpx2.Client) -> None:
    answer = api.get("/v1/claim-batches/bat_none/events")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_many_watchers_leave_room_for_others(api: httpx2.Client, tenant: Tenant) -> None:
    """There are 16 threads and 3 database connections."""
    batch = api.post(tenant.uploads, files=CSV).json()
    streams = [api.stream("GET", f"/v1/claim-batches/{batch['id']}/events") for _ in range(40)]
    opened = [stream.__enter__() for stream in streams]
    try:
        assert {next(events_of(stream))[0] for stream in opened} == {"progress"}
        assert api.post(tenant.uploads, files=CSV).status_code == 202
    finally:
        for stream in streams:
            stream.__exit__(None, None, None)
