"""A small world to claim in: an organization, a project, an inventory; and a batch carried through by hand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import text

from worker.accounts import authenticate, create_organization, create_project, create_token
from worker.batches import SubmitOptions, begin_upload, get_batch, submit, work
from worker.principal import Principal
from worker.runtime import Runtime
from worker.states import READABLE, BatchState, Outcome, WorkKind


@dataclass(frozen=True)
class Sender:
    """Someone who claims into one project."""

    principal: Principal
    project_id: str


def new_sender(runtime: Runtime, name: str, organization_id: str | None = None) -> Sender:
    """An administrator with a project of its own, in a new organization or a given one."""
    organization = organization_id or create_organization(runtime, name)["id"]
    project = create_project(runtime, organization, name)["id"]
    token = create_token(runtime, organization, name, ["organization_admin"])
    principal = authenticate(runtime, token.secret)
    assert principal is not None
    return Sender(principal, project)


def add_devices(
    runtime: Runtime, devices: Iterable[str], kit: str | None = None, months: int = 12, codes: bool = False
) -> None:
    """Put devices into the inventory by SQL; with `codes`, each has serial number `sn-<id>` and code `code-<id>`."""
    with runtime.transaction() as connection:
        key = None
        if kit is not None:
            key = connection.execute(
                text("insert into kit (kit_id) values (:kit) returning key"), {"kit": kit}
            ).scalar()
        rows = [
            {
                "device_id": device,
                "kit": key,
                "months": months,
                "serial": f"sn-{device}" if codes else None,
                "hash": runtime.keys.hash_code(f"sn-{device}", f"code-{device}") if codes else None,
            }
            for device in devices
        ]
        connection.execute(
            text("""insert into device (device_id, kit_key, prepaid_months, serial_number, code_hash)
                values (:device_id, :kit, :months, :serial, :hash)"""),
            rows,
        )


def send(
    runtime: Runtime, sender: Sender, body: bytes, *, source: Literal["csv", "json"] = "csv", **options: Any
) -> str:
    """Submit a batch without working on it; returns its id."""
    upload = begin_upload(runtime)
    upload.add(body)
    return str(submit(runtime, sender.principal, sender.project_id, SubmitOptions(source, **options), upload)["id"])


def carry_out(runtime: Runtime, batch_id: str) -> None:
    """Do all that workers would do for the batch, one step after the other."""
    steps = {
        WorkKind.RESOLVE: work.run_resolve,
        WorkKind.APPLY: work.run_apply,
        WorkKind.FINISH: work.run_finish,
    }
    for _ in range(10_000):
        kind = _open_kind(runtime, batch_id)
        if kind is None:
            return
        steps[kind](runtime, batch_id)
    raise AssertionError(f"batch {batch_id} does not come to an end")


def claim(runtime: Runtime, sender: Sender, body: bytes, **options: Any) -> dict[str, Any]:
    """Submit a batch and carry it out; returns its document."""
    batch_id = send(runtime, sender, body, **options)
    carry_out(runtime, batch_id)
    document = get_batch(runtime, sender.principal, batch_id)
    assert BatchState(document["state"]) in READABLE, document
    return document


def outcomes(runtime: Runtime, batch_id: str) -> Sequence[tuple[int, str | None, str]]:
    """(row, device ID, outcome) of each result in the order of the report."""
    query = text("""
        select r.row, d.device_id, r.outcome from result r join batch b on b.key = r.batch_key
        left join device d on d.key = r.device_key where b.public_id = :batch order by r.row, r.position""")
    with runtime.transaction() as connection:
        return [(row[0], row[1], Outcome.of(row[2]).value) for row in connection.execute(query, {"batch": batch_id})]


def holders(runtime: Runtime) -> dict[str, str]:
    """The project that holds each claimed device."""
    query = text("""
        select d.device_id, p.public_id from claim c join device d on d.key = c.device_key
        join project p on p.key = c.project_key""")
    with runtime.transaction() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def _open_kind(runtime: Runtime, batch_id: str) -> WorkKind | None:
    query = text("""
        select w.kind from work_item w join batch b on b.key = w.batch_key
        where b.public_id = :batch and w.done_at is null order by w.kind = 'finish', w.key limit 1""")
    with runtime.transaction() as connection:
        kind = connection.execute(query, {"batch": batch_id}).scalar()
    return None if kind is None else WorkKind(kind)
