"""The same input gives the same results as the model, whatever the chunk size and the number of workers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.claims import Sender, carry_out, holders, new_sender, outcomes, send
from tests.model import Device, Row, World
from worker.batches import get_batch
from worker.operations.verify import verify
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import Mode

DEVICE_IDS = [f"d{number}" for number in range(8)]
KIT_IDS = ["kit-a", "kit-b"]
PROJECTS = 2

devices = st.lists(
    st.builds(
        Device,
        device_id=st.sampled_from(DEVICE_IDS),
        kit_id=st.sampled_from([None, *KIT_IDS]),
        months=st.sampled_from([0, 12, 12, 12]),
        has_code=st.booleans(),
    ),
    unique_by=lambda device: device.device_id,
)
named = st.sampled_from([*DEVICE_IDS, "unknown"])
rows = st.lists(
    st.one_of(
        st.builds(Row, kit_id=st.sampled_from([*KIT_IDS, "kit-x"])),
        st.builds(Row, device_id=named),
        st.builds(
            lambda d, right: Row(serial_number=f"sn-{d}", claim_code=f"code-{d}" if right else "no"),
            named,
            st.booleans(),
        ),
    ),
    min_size=1,
    max_size=12,
)
requests = st.lists(st.tuples(st.integers(0, PROJECTS - 1), rows, st.booleans()), min_size=1, max_size=4)


@pytest.fixture
def senders(runtime: Runtime) -> list[Sender]:
    first = new_sender(runtime, "p0")
    return [first, *(new_sender(runtime, f"p{n}", first.principal.organization_id) for n in range(1, PROJECTS))]


@pytest.fixture
def wide(settings: Settings) -> Iterator[Runtime]:
    """A runtime with connections for several workers."""
    runtime = build_runtime(settings, pool_size=8)
    yield runtime
    runtime.close()


@given(inventory=devices, asked=requests, chunk_size=st.sampled_from([1, 2, 3, 5, 50_000]), workers=st.integers(1, 3))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_results_are_those_of_the_model(
    wide: Runtime,
    senders: list[Sender],
    inventory: list[Device],
    asked: list[tuple[int, list[Row], bool]],
    chunk_size: int,
    workers: int,
) -> None:
    runtime = Runtime(
        wide.settings.model_copy(update={"chunk_size": chunk_size}), wide.engine, wide.keys, wide.doorbell
    )
    start_anew(runtime, inventory)
    world = World({device.device_id: device for device in inventory})
    for project, batch_rows, atomic in asked:
        sender = senders[project]
        body, in_order = as_json(batch_rows)
        mode = Mode.ATOMIC if atomic else Mode.PARTIAL
        batch_id = send(runtime, sender, body, source="json", mode=mode)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda _, batch=batch_id: carry_out(runtime, batch), range(workers)))
        carry_out(runtime, batch_id)
        state, expected = world.claim(sender.project_id, in_order, atomic=atomic)
        assert get_batch(runtime, sender.principal, batch_id)["state"] == state
        assert list(outcomes(runtime, batch_id)) == expected
    assert holders(runtime) == world.holders
    assert verify(runtime) == []


def as_json(batch_rows: list[Row]) -> tuple[bytes, list[Row]]:
    """The JSON body and its rows in the order in which they are numbered."""
    kits = [row for row in batch_rows if row.kit_id is not None]
    plain = [row for row in batch_rows if row.device_id is not None]
    pairs = [row for row in batch_rows if row.serial_number is not None]
    body = {
        "kit_ids": [row.kit_id for row in kits],
        "device_ids": [row.device_id for row in plain],
        "devices": [{"serial_number": row.serial_number, "claim_code": row.claim_code} for row in pairs],
    }
    return json.dumps(body).encode(), [*kits, *plain, *pairs]


def start_anew(runtime: Runtime, inventory: list[Device]) -> None:
    """An inventory of just these devices, and no batches."""
    with runtime.transaction() as connection:
        connection.execute(
            text(
                "truncate device, kit, claim, claim_history, batch, work_item, result, checkpoint, "
                "kit_row, upload, upload_block, resolution, chunk, activation, subscription, mended_row, pruning"
            )
        )
        for kit_id in sorted({device.kit_id for device in inventory if device.kit_id}):
            connection.execute(text("insert into kit (kit_id) values (:kit)"), {"kit": kit_id})
        for device in inventory:
            code = runtime.keys.hash_code(device.serial_number, device.code) if device.has_code else None
            connection.execute(
                text("""insert into device (device_id, kit_key, prepaid_months, serial_number, code_hash)
                    values (:id, (select key from kit where kit_id = :kit), :months, :serial, :code)"""),
                {
                    "id": device.device_id,
                    "kit": device.kit_id,
                    "months": device.months,
                    "serial": device.serial_number if device.has_code else None,
                    "code": code,
                },
            )
