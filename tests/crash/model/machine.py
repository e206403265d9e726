"""Any doings of two organizations in any order, with trouble in between: what is told equals the model."""

from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from tests.clock import pass_time
from tests.crash.model.actors import Actor, Stage
from tests.crash.model.world import Batch, Story
from tests.model import Device, Row
from worker.runtime import Runtime
from worker.states import PeriodicTask

_SOME_HOURS: Final = 2
_A_WEEK: Final = 8 * 24
_LATER: Final = 5
"""Days: more than all examples' hours, less than their week."""

_device = st.integers(0, 9)  # the last one is unknown
_row = st.one_of(
    st.tuples(st.just("kit"), st.sampled_from(["a", "b", "x"])),
    st.tuples(st.just("device"), _device),
    st.tuples(st.sampled_from(["pair", "wrong pair"]), _device),
)
_rows = st.lists(_row, min_size=1, max_size=6)
_who = st.integers(0, 1)


class Doings(RuleBasedStateMachine):
    """Carries out each step in both worlds, and compares."""

    batches = Bundle("batches")

    def __init__(
        self, runtime: Runtime, new_stage: Callable[[], Stage], troubles: dict[str, Callable[[], None]]
    ) -> None:
        super().__init__()
        self._runtime = runtime
        self._new_stage = new_stage
        self._troubles = troubles
        self._coming: list[str] = []

    @initialize()
    def enter(self) -> None:
        self._stage = self._new_stage()
        self._story = Story(self._stage.devices)
        self._names = list(self._stage.devices)

    @rule(target=batches, who=_who, rows=_rows, atomic=st.booleans())
    def submit(self, who: int, rows: list[tuple[str, int | str]], atomic: bool) -> Batch:
        batch = self._submit(who, rows, mode="atomic" if atomic else "partial")
        self._story.carry_out(batch)
        self._compare(batch)
        return batch

    @rule(target=batches, who=_who, rows=_rows, atomic=st.booleans())
    def preview(self, who: int, rows: list[tuple[str, int | str]], atomic: bool) -> Batch:
        batch = self._submit(who, rows, mode="atomic" if atomic else "partial", preview="true")
        self._story.preview(batch)
        self._compare(batch)
        return batch

    @rule(target=batches, who=_who, rows=_rows)
    def submit_and_cancel(self, who: int, rows: list[tuple[str, int | str]]) -> Batch:
        """How far it came is not known beforehand: the model believes what it is told, if it can be."""
        batch = self._submit(who, rows)
        actor = self._actor(batch)
        actor.act(batch.batch_id, "cancel")
        state = actor.scene.wait_end(batch.batch_id)["state"]
        self._story.adopt(batch, state, actor.told(batch.batch_id))
        return batch

    @rule(target=batches, who=_who, rows=_rows)
    def submit_in_vain(self, who: int, rows: list[tuple[str, int | str]]) -> Batch:
        actor = self._stage.actors[who]
        batch_id, in_order = actor.submit_in_vain(self._rows(rows))
        self._make_trouble()
        actor.scene.wait_end(batch_id, "failed")
        return self._remember(Batch(batch_id, actor.project, in_order, atomic=False, state="failed"))

    @rule(batch=batches)
    def confirm(self, batch: Batch) -> None:
        if self._act(batch, "confirm", is_possible=batch.state == "previewed"):
            self._story.carry_out(batch)
            self._compare(batch)

    @rule(batch=batches)
    def resume(self, batch: Batch) -> None:
        if self._act(batch, "resume", is_possible=batch.state == "failed"):
            self._story.carry_out(batch)
            self._compare(batch)

    @rule(batch=batches)
    def cancel(self, batch: Batch) -> None:
        if self._act(batch, "cancel", is_possible=batch.state == "previewed"):
            self._story.cancel_preview(batch)
            self._compare(batch)

    @rule(batch=batches)
    def revert(self, batch: Batch) -> None:
        child = self._act(batch, "revert", is_possible=self._story.can_revert(batch))
        if child:
            expected = self._story.revert(batch)
            self._actor(batch).scene.wait_end(batch.batch_id, "reverted")
            self._compare_devices(self._actor(batch), child, expected)

    @rule(who=_who, days=st.sampled_from([None, _LATER]), listed=st.none() | st.sets(_device, min_size=1, max_size=5))
    def plan(self, who: int, days: int | None, listed: set[int] | None) -> None:
        actor = self._stage.actors[who]
        devices = None if listed is None else [self._name(number) for number in sorted(listed)]
        chosen = self._story.held_by(actor.project) if devices is None else devices
        expected = self._story.plan(actor.project, chosen, days and days * 24.0)
        batch_id = actor.plan(days, devices)
        self._make_trouble()
        actor.scene.wait_end(batch_id, "completed")
        self._compare_devices(actor, batch_id, expected)
        self._story.activate()

    @rule(hours=st.sampled_from([_SOME_HOURS, _SOME_HOURS, _A_WEEK]))
    def pass_time(self, hours: int) -> None:
        """Hold windows end, and what is due starts."""
        pass_time(self._runtime, hours=hours)
        self._story.pass_time(hours)
        self._make_trouble()
        self._wait_active()

    @rule(data=st.data())
    def trouble(self, data: st.DataObject) -> None:
        """Something breaks as soon as the next request was answered."""
        self._coming.append(data.draw(st.sampled_from(sorted(self._troubles))))

    def teardown(self) -> None:
        """In the end both worlds are the same."""
        if not hasattr(self, "_story"):
            return
        self._make_trouble()
        for batch in self._story.batches:
            assert self._actor(batch).scene.wait_end(batch.batch_id, batch.state)["state"] == batch.state
        assert self._stage.holders() == self._story.holders
        self._wait_active()
        self._stage.leave()

    def _submit(self, who: int, rows: list[tuple[str, int | str]], **options: str) -> Batch:
        actor = self._stage.actors[who]
        batch_id, in_order = actor.submit(self._rows(rows), **options)
        self._make_trouble()
        return self._remember(Batch(batch_id, actor.project, in_order, atomic=options.get("mode") == "atomic"))

    def _act(self, batch: Batch, what: str, *, is_possible: bool) -> str | None:
        """The id of the batch that the answer shows; None where it was refused, as it must be."""
        document = self._actor(batch).act(batch.batch_id, what)
        assert (document is not None) == is_possible, (batch, what)
        self._make_trouble()
        return None if document is None else str(document["id"])

    def _remember(self, batch: Batch) -> Batch:
        self._story.batches.append(batch)
        return batch

    def _make_trouble(self) -> None:
        while self._coming:
            self._troubles[self._coming.pop()]()

    def _compare(self, batch: Batch) -> None:
        scene = self._actor(batch).scene
        assert scene.wait_end(batch.batch_id, batch.state)["state"] == batch.state
        assert self._actor(batch).told(batch.batch_id) == batch.results

    def _compare_devices(self, actor: Actor, batch_id: str, expected: dict[str, str]) -> None:
        actor.scene.wait_end(batch_id, "completed")
        found = actor.told(batch_id)
        assert {device for _, device, _ in found} - {None} == expected.keys() & self._stage.devices.keys()
        assert sorted(outcome for *_, outcome in found) == sorted(expected.values())
        assert all(expected[device] == outcome for _, device, outcome in found if device)

    def _wait_active(self) -> None:
        self._stage.until(lambda: self._stage.active() == self._story.active(), PeriodicTask.ACTIVATE)

    def _actor(self, batch: Batch) -> Actor:
        return next(actor for actor in self._stage.actors if actor.project == batch.project)

    def _name(self, number: int) -> str:
        return self._names[number] if number < len(self._names) else "unknown"

    def _rows(self, rows: list[tuple[str, int | str]]) -> list[Row]:
        return [self._row(kind, which) for kind, which in rows]

    def _row(self, kind: str, which: int | str) -> Row:
        if isinstance(which, str):
            return Row(kit_id=f"{self._names[0][:-2]}-kit-{which}")
        device = Device(self._name(which))
        if kind == "device":
            return Row(device_id=device.device_id)
        return Row(serial_number=device.serial_number, claim_code=device.code if kind == "pair" else "no")
