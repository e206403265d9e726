"""One of twenty clients: it sends, waits, reads what became of each row, and checks that."""

import time
from collections.abc import Callable
from typing import Final

from tests.soak import orders
from tests.soak.checking import Account, check_claims, check_releases, fetch_told
from tests.soak.orders import Order, with_options
from tests.soak.sender import Sender, Unanswered
from tests.soak.world import World

_REVERTED: Final = 0.7
"""So many batches are taken back, or there would soon be nothing left to claim."""


class Client:
    """Claims into one project, one batch after the other, and remembers what it was told."""

    def __init__(self, number: int, world: World, sender: Sender) -> None:
        self.number = number
        self.sender = sender
        self._world = world
        self._chance = sender.chance
        self._doings: dict[Callable[[], None], int] = {
            self._claim_kits: 40,
            self._claim_pairs: 10,
            self._claim_file: 15,
            self._claim_atomically: 10,
            self._preview: 10,
            self._cancel: 8,
            self._plan: 4,
        }

    def run(self, is_over: Callable[[], bool]) -> None:
        """Go on until it is over, and finish what was begun."""
        while not is_over():
            doing = self._chance.choices(list(self._doings), list(self._doings.values()))[0]
            self._try(doing)
            time.sleep(self._chance.uniform(0, 0.5))

    def claim_a_kit(self) -> bool:
        """Whether that went as it should."""
        return self._try(self._claim_kits)

    def _try(self, doing: Callable[[], None]) -> bool:
        try:
            doing()
        except Unanswered as error:
            self.sender.tally.broke("lost", str(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not be: the others go on
            self.sender.tally.broke("unexpected", f"{doing.__name__}: {error!r}")
        else:
            return True
        return False

    def _claim_kits(self) -> None:
        self._carry_out(orders.kits(self._world, self._chance))

    def _claim_pairs(self) -> None:
        self._carry_out(orders.pairs(self._world, self._chance))

    def _claim_file(self) -> None:
        size = self._chance.choice([1_000, 1_000, 2_000, 5_000, 20_000])
        self._carry_out(orders.listed(self._world, self._chance, min(size, self._world.size // 2)))

    def _claim_atomically(self) -> None:
        order = orders.listed(self._world, self._chance, 100, flawless=self._chance.random() < 0.8)
        self._carry_out(with_options(order, mode="atomic"))

    def _preview(self) -> None:
        order = with_options(orders.listed(self._world, self._chance, 200), preview="true")
        batch_id = self._submit(order)
        self._check(order, batch_id)
        self.sender.act(batch_id, self._chance.choice(["confirm", "confirm", "cancel"]))
        self._take_back(batch_id, self._check(order, batch_id, is_decided=True))

    def _cancel(self) -> None:
        order = orders.listed(self._world, self._chance, 4_000)
        batch_id = self._submit(order)
        time.sleep(self._chance.uniform(0, 0.5))
        self.sender.act(batch_id, "cancel")
        self._take_back(batch_id, self._check(order, batch_id))

    def _plan(self) -> None:
        """When prepaid time starts, of all that the project holds; it holds the same afterwards."""
        path = f"/v1/projects/{self.sender.tenant.project_id}/plan-batches"
        batch_id = self.sender.submit(path, params={"activate": "now", "all": "true"})
        document = self.sender.wait_end(batch_id)
        self.sender.tally.count("rows", document["rows_total"])
        if document["state"] == "completed" and set(document["totals"]) - {"scheduled", "already_active"}:
            self.sender.tally.broke("unexpected", f"plan {batch_id}: {document['totals']}")

    def _carry_out(self, order: Order) -> None:
        batch_id = self._submit(order)
        self._take_back(batch_id, self._check(order, batch_id))

    def _submit(self, order: Order) -> str:
        self.sender.tally.count("rows", len(order.rows))
        return self.sender.submit(self.sender.tenant.uploads, **order.request)

    def _check(self, order: Order, batch_id: str, *, is_decided: bool = False) -> list[int]:
        """Wait for the end, and compare; returns what it has claimed."""
        state = self.sender.wait_end(batch_id, is_decided=is_decided)["state"]
        told = fetch_told(self.sender, batch_id, as_csv=order.headers is orders.CSV)
        account = check_claims(self._world, self.number, order, state, told)
        self._note(batch_id, account)
        return account.claimed

    def _take_back(self, batch_id: str, claimed: list[int]) -> None:
        """Mostly; unless the hold window is over."""
        if self._chance.random() > _REVERTED:
            return
        answer = self.sender.act(batch_id, "revert")
        if answer.status_code != 202:
            return
        self.sender.count_batch()
        child = answer.json()["id"]
        self.sender.wait_end(child)
        account = check_releases(fetch_told(self.sender, child, as_csv=False), claimed)
        self.sender.tally.count("rows", len(claimed))
        self._note(child, account)

    def _note(self, batch_id: str, account: Account) -> None:
        self._world.note(self.number, account.claimed, account.released)
        self.sender.tally.count("reports checked")
        for how, what in account.wrong:
            self.sender.tally.broke(how, f"batch {batch_id}: {what}")
