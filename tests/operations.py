"""Reverts and plans, carried through by hand."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from tests.claims import Sender, carry_out, outcomes
from worker.batches import SubmitOptions, begin_upload, get_batch, plan_held, revert, submit
from worker.runtime import Runtime
from worker.states import Operation


def take_back(runtime: Runtime, sender: Sender, batch_id: str) -> dict[str, Any]:
    """Revert a batch and carry it out; returns the child's document."""
    return _finished(runtime, sender, revert(runtime, sender.principal, batch_id)["id"])


def plan_all(runtime: Runtime, sender: Sender, **options: Any) -> dict[str, Any]:
    """Plan all that the project holds, or that `parent` claimed; returns the document."""
    document = plan_held(runtime, sender.principal, sender.project_id, SubmitOptions("devices", **options))
    return _finished(runtime, sender, document["id"])


def plan_listed(runtime: Runtime, sender: Sender, body: bytes, **options: Any) -> dict[str, Any]:
    """Plan the devices of a CSV; returns the document."""
    upload = begin_upload(runtime)
    upload.add(body)
    chosen = SubmitOptions("csv", Operation.PLAN, **options)
    return _finished(runtime, sender, submit(runtime, sender.principal, sender.project_id, chosen, upload)["id"])


def codes(runtime: Runtime, batch_id: str) -> dict[str | None, str]:
    """The outcome of each device."""
    return {device: outcome for _, device, outcome in outcomes(runtime, batch_id)}


def ended_claims(runtime: Runtime) -> list[str]:
    """The devices whose claims have ended, as often as they have."""
    query = text("select d.device_id from claim_history h join device d on d.key = h.device_key order by 1")
    with runtime.transaction() as connection:
        return list(connection.execute(query).scalars())


def release(runtime: Runtime, device_id: str) -> None:
    """End a claim by hand."""
    query = text("delete from claim using device d where d.key = device_key and d.device_id = :device")
    with runtime.transaction() as connection:
        connection.execute(query, {"device": device_id})


def blocked(runtime: Runtime) -> Callable[[], bool]:
    """Whether someone waits for a lock in this database."""
    query = text("""
        select exists (select from pg_locks l join pg_stat_activity a using (pid)
            where not l.granted and a.datname = current_database())""")

    def look() -> bool:
        with runtime.reading() as connection:
            return bool(connection.execute(query).scalar_one())

    return look


def _finished(runtime: Runtime, sender: Sender, batch_id: str) -> dict[str, Any]:
    carry_out(runtime, batch_id)
    return get_batch(runtime, sender.principal, batch_id)
