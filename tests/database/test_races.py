"""Batches that want the same devices at the same time end with one holder each."""

import random
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from tests.claims import add_devices, carry_out, holders, new_sender, outcomes, send
from worker.batches import get_batch
from worker.runtime import Runtime, build_runtime
from worker.settings import Settings
from worker.states import Mode

KITS = 12
DEVICES_PER_KIT = 20


def test_fifty_racing_batches_and_releases_by_hand_end_with_one_holder_each(settings: Settings) -> None:
    runtime = build_runtime(settings.model_copy(update={"chunk_size": 60}), pool_size=24)
    for kit in range(KITS):
        add_devices(runtime, [f"d{kit:02}-{n:02}" for n in range(DEVICES_PER_KIT)], kit=f"kit-{kit:02}")
    first = new_sender(runtime, "p0")
    senders = [first, *(new_sender(runtime, f"p{n}", first.principal.organization_id) for n in range(1, 5))]
    chance = random.Random(7)  # noqa: S311
    batches = [
        (sender := chance.choice(senders), send(runtime, sender, some_rows(chance), mode=some_mode(chance)))
        for _ in range(50)
    ]
    done = threading.Event()
    releaser = threading.Thread(target=release_now_and_then, args=(runtime, done))
    releaser.start()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda pair: carry_out(runtime, pair[1]), batches))
    done.set()
    releaser.join()
    claimed_by = defaultdict(list)
    for sender, batch_id in batches:
        assert get_batch(runtime, sender.principal, batch_id)["state"] in {"completed", "rejected"}
        for _, device, outcome in outcomes(runtime, batch_id):
            if outcome == "claimed":
                claimed_by[device].append(sender.project_id)
    ended = ended_claims(runtime)
    for device, holder in holders(runtime).items():
        assert holder in claimed_by[device]
    for device, projects in claimed_by.items():
        still_held = 1 if device in holders(runtime) else 0
        assert len(projects) == ended[str(device)] + still_held
    assert attempts(runtime) <= 1
    runtime.close()


def some_rows(chance: random.Random) -> bytes:
    rows = [f"kit-{kit:02}" for kit in chance.sample(range(KITS), 4)]
    rows += [f"d{chance.randrange(KITS):02}-{chance.randrange(DEVICES_PER_KIT):02}" for _ in range(40)]
    chance.shuffle(rows)
    return "\n".join(["identifier", *rows]).encode()


def some_mode(chance: random.Random) -> Mode:
    return chance.choice([Mode.PARTIAL, Mode.PARTIAL, Mode.ATOMIC])


def release_now_and_then(runtime: Runtime, done: threading.Event) -> None:
    """Delete some claims as an operator would: locked in the order of their keys."""
    query = text("""
        with ending as (select device_key from claim where device_key % 5 = :n order by device_key for update)
        delete from claim using ending where claim.device_key = ending.device_key""")
    n = 0
    while not done.wait(0.02):
        n = (n + 1) % 5
        with runtime.transaction() as connection:
            connection.execute(query, {"n": n})


def ended_claims(runtime: Runtime) -> dict[str, int]:
    query = text("select d.device_id, count(*) from claim_history h join device d on d.key = h.device_key group by 1")
    with runtime.transaction() as connection:
        return defaultdict(int, {row[0]: row[1] for row in connection.execute(query)})


def attempts(runtime: Runtime) -> int:
    with runtime.transaction() as connection:
        return int(connection.execute(text("select max(attempts) from work_item")).scalar_one())
