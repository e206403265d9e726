"""Further doings of an organization, with named stages at which a test may have somebody killed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import text

from tests.clock import pass_time
from tests.crash import scene as simple
from tests.crash.owner import deliveries, endpoints
from tests.crash.scene import CSV, Scene, add_endpoint, large, small
from tests.embedded.waiting import wait_until
from worker.states import EventType, PeriodicTask

SECOND, THIRD = 60, 90  # a device of the second chunk, and one of the third
_CLAIMED = 20  # by a small batch

_OF = "organization_key = (select key from organization where public_id = :organization)"
_HOLD = text("""
    insert into claim (device_key, project_key, batch_key, claimed_at)
    select key, 0, 0, clock_timestamp() from device where device_id = any(:devices)""")
_CHUNKS_DONE = text(f"select count(*) from work_item where {_OF} and kind = 'apply' and end_state = 'done'")
_OF_SECOND = f"from work_item where {_OF} and kind = 'apply' and number = 1"
_SECOND_FENCE = text(f"select coalesce(max(fence), 0) {_OF_SECOND} and lease_expires_at is not null")
_CUT = text(f"select pg_terminate_backend(backend_pid) {_OF_SECOND}")
_EXHAUST = text(f"""
    update work_item set attempts = 1000, fence = fence + 1, lease_expires_at = null, backend_pid = null,
        backend_start = null, ring_at = clock_timestamp() where key = (select key {_OF_SECOND})""")
_SUBSCRIPTIONS = """
    select count(*) from subscription s join claim c using (device_key) join batch b on b.key = c.batch_key
    where b.organization_key = (select key from organization where public_id = :organization) and """
_ACTIVE = text(_SUBSCRIPTIONS + "s.state = 'active'")
_REMINDED = text(_SUBSCRIPTIONS + "s.reminded = 30")
_EXPIRED = text(_SUBSCRIPTIONS + "s.state = 'expired'")
_WAITING_PREVIEWS = text(f"select count(*) from batch where {_OF} and state = 'previewed'")
_LET_LAPSE = text(f"update batch set preview_expires_at = clock_timestamp() where {_OF} returning key")
_LEFT = text(f"""
    select (select count(*) from batch where {_OF} and (input_pruned_at is null or results_pruned_at is null))
        + (select count(*) from event where {_OF}) + (select count(*) from pruning)""")
_DIGESTS = text(f"select count(*) from digest where {_OF}")
_STRAY_BLOCKS = text("""
    select count(*) from upload_block u where not exists (select from batch b where b.upload_key = u.upload_key)""")


@contextmanager
def held_back(scene: Scene, *numbers: int) -> Iterator[None]:
    """Whoever wants these devices waits for a rival, who has claimed them and gives up in the end."""
    devices = [scene.devices[number] for number in numbers]
    with scene.runtime.engine.connect() as connection:
        connection.execute(_HOLD, {"devices": devices})
        yield
        connection.rollback()


def upload(scene: Scene) -> None:
    """A file of several blocks, in pieces; what was left of it when the API died is forgotten."""
    scene.wait_end(scene.send(lambda: _pieces(_padded(scene))))
    _forget_strays(scene)


def refused(scene: Scene) -> None:
    """More than is taken is refused, and its key is free again for less."""
    too_much = _padded(scene) * 3
    ask = partial(scene.request, "POST", scene.tenant.uploads, headers=CSV, key="order-1")
    ask(content=lambda: _pieces(too_much), refused={413})
    answer = ask(content=scene.csv(*scene.devices[:5]))
    scene.wait_end(answer["id"])
    _forget_strays(scene)


def imported(scene: Scene) -> None:
    """New devices and a kit, which are claimed then."""
    new = [f"{scene.prefix}-i{number:02}" for number in range(30)]
    lines = [f"{device},{scene.prefix}-kit,12" for device in new]
    content = "\n".join(["device_id,kit_id,prepaid_months", *lines]).encode()
    scene.request("POST", "/v1/inventory-imports", content=content, headers=CSV)
    scene.wait_end(scene.send(f"kit_id\n{scene.prefix}-kit\n".encode()))


def cancelled(scene: Scene) -> None:
    """A batch is cancelled whose first chunk is claimed and whose others are being worked on."""
    with held_back(scene, SECOND, THIRD):
        batch_id = scene.send(scene.csv(*scene.devices))
        wait_until(lambda: scene.count(_CHUNKS_DONE) == 1)
        wait_until(lambda: scene.count(_SECOND_FENCE))
        scene.stage("cancel")
        scene.act(batch_id, "cancel")
    scene.wait_end(batch_id, "cancelled")


def cut_off(scene: Scene) -> None:
    """A worker loses its connection in the middle of a chunk."""
    with held_back(scene, SECOND):
        batch_id = scene.send(scene.csv(*scene.devices))
        wait_until(lambda: scene.count(_SECOND_FENCE))
        fence = scene.count(_SECOND_FENCE)
        scene.stage("cut")
        scene.rows(_CUT)
        wait_until(lambda: scene.count(_SECOND_FENCE) > fence)
    scene.wait_end(batch_id)


def resumed(scene: Scene) -> None:
    """One chunk is given up, the others are claimed; later that one is, too."""
    with held_back(scene, SECOND):
        batch_id = scene.send(scene.csv(*scene.devices))
        wait_until(lambda: scene.count(_SECOND_FENCE))
        with scene.runtime.transaction() as connection:
            connection.execute(_EXHAUST, {"organization": scene.tenant.organization_id})
        scene.wait_end(batch_id, "failed")
    scene.stage("resume")
    scene.act(batch_id, "resume")
    scene.wait_end(batch_id, "completed")


def reverted(scene: Scene) -> None:
    """A small batch is taken back."""
    small(scene)
    _revert(scene)


def reverted_large(scene: Scene) -> None:
    """A batch of several chunks is taken back."""
    large(scene)
    _revert(scene)


def planned(scene: Scene) -> None:
    """Starts are chosen for listed devices, then for those of a batch, then for all that is held."""
    large(scene)
    scene.stage("plan")
    _plan(scene, content=scene.csv(*scene.devices[:30], "unknown"), headers=CSV)
    scene.stage("plan batch")
    _plan(scene, {"batch_id": scene.batches[0]})
    scene.stage("plan all")
    _plan(scene, {"all": "true"})


def activated(scene: Scene) -> None:
    """Prepaid time starts once the hold window is over."""
    small(scene)
    pass_time(scene.runtime, hours=2)
    scene.stage("activate")
    scene.until(lambda: scene.count(_ACTIVE) == _CLAIMED, PeriodicTask.ACTIVATE)


def expired(scene: Scene) -> None:
    """Its end is announced a month before, and then comes."""
    activated(scene)
    pass_time(scene.runtime, days=345)
    scene.stage("remind")
    scene.until(lambda: scene.count(_REMINDED) == _CLAIMED, PeriodicTask.REMIND)
    pass_time(scene.runtime, days=45)
    scene.stage("expire")
    scene.until(lambda: scene.count(_EXPIRED) == _CLAIMED, PeriodicTask.EXPIRE)


def told_daily(scene: Scene) -> None:
    """A day later there is a digest."""
    add_endpoint(scene, EventType.DIGEST_DAILY)
    activated(scene)
    scene.settle()
    pass_time(scene.runtime, days=1)
    scene.stage("digest")
    scene.until(lambda: scene.count(_DIGESTS), PeriodicTask.DIGEST)


def retained(scene: Scene) -> None:
    """After its time all is forgotten but the claims."""
    activated(scene)
    pass_time(scene.runtime, days=500)
    scene.until(lambda: scene.count(_EXPIRED) == _CLAIMED, PeriodicTask.EXPIRE)
    scene.settle()
    scene.stage("retain")
    scene.until(lambda: scene.count(_LEFT) == 0, PeriodicTask.RETAIN)


def lapsed(scene: Scene) -> None:
    """A preview that nobody confirmed is cancelled."""
    batch_id = scene.send(scene.csv(*scene.devices), preview="true")
    scene.wait_end(batch_id)
    scene.rows(_LET_LAPSE)
    scene.stage("prune")
    scene.until(lambda: scene.count(_WAITING_PREVIEWS) == 0, PeriodicTask.PRUNE)
    scene.wait_end(batch_id, "cancelled")


def swept(scene: Scene) -> None:
    """Beat asks for a sweep while a batch is worked on."""
    batch_id = scene.send(scene.csv(*scene.devices))
    scene.stage("sweep")
    scene.runtime.doorbell.nudge(PeriodicTask.SWEEP)
    scene.wait_end(batch_id)


def _revert(scene: Scene) -> None:
    scene.stage("revert")
    scene.act(scene.batches[0], "revert")
    scene.wait_end(scene.batches[0], "reverted")


def _plan(scene: Scene, whose: Mapping[str, str] | None = None, **body: Any) -> None:
    path = f"/v1/projects/{scene.tenant.project_id}/plan-batches"
    answer = scene.request("POST", path, params={"activate": "now", **(whose or {})}, **body)
    scene.wait_end(answer["id"])


def _padded(scene: Scene) -> bytes:
    """Some four hundred thousand bytes."""
    note = "x" * 4000
    return "\n".join(["device_id,note", *(f"{device},{note}" for device in scene.devices)]).encode()


def _pieces(content: bytes) -> Iterator[bytes]:
    size = len(content) // 4 + 1
    for start in range(0, len(content), size):
        yield content[start : start + size]


def _forget_strays(scene: Scene) -> None:
    scene.stage("forget")
    scene.until(lambda: scene.count(_STRAY_BLOCKS) == 0, PeriodicTask.PRUNE)


SCENARIOS: Final[Mapping[str, Callable[[Scene], None]]] = MappingProxyType(
    simple.SCENARIOS
    | {
        each.__name__: each
        for each in (
            upload,
            refused,
            imported,
            cancelled,
            cut_off,
            resumed,
            reverted,
            reverted_large,
            planned,
            activated,
            expired,
            told_daily,
            retained,
            lapsed,
            swept,
            endpoints,
            deliveries,
        )
    }
)
