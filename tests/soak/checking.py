"""Whether what a client was told is what it can expect."""

import csv
import io
import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

from tests.soak.orders import Order, Row
from tests.soak.sender import Sender
from tests.soak.world import World, number_of

Told = dict[int, list[tuple[int | None, str]]]

_NEW = {
    "completed": {"claimed", "already_claimed"},
    "previewed": {"claimable", "already_claimed"},
    "rejected": {"not_processed", "already_claimed"},
    "cancelled": {"claimed", "already_claimed", "not_processed"},
}


@dataclass
class Account:
    """What a project has got and given back by one batch, and what is wrong with what it was told."""

    claimed: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)


def fetch_told(sender: Sender, batch_id: str, *, as_csv: bool) -> Told:
    """Device and outcome of all results, by row."""
    answer = sender.ask("GET", f"/v1/claim-batches/{batch_id}/results.{'csv' if as_csv else 'jsonl'}")
    assert answer.status_code == 200, answer.text
    told: Told = defaultdict(list)
    if as_csv:
        for line in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))):
            told[int(line["row"])].append((_number(line["device_id"]), line["outcome"]))  # the last column of this name
    else:
        for text in answer.text.splitlines():
            document = json.loads(text)
            told[document["row"]].append((_number(document["device_id"]), document["outcome"]))
    return told


def check_claims(world: World, project: int, order: Order, state: str, told: Told) -> Account:
    """Every row has exactly one outcome, each device of a kit too, and none that cannot be."""
    account = Account()
    seen: set[int] = set()
    for number, row in enumerate(order.rows, start=1):
        found = told.pop(number, [])
        if state == "cancelled" and [outcome for _, outcome in found] == ["not_processed"]:
            seen.update(row.devices)
        elif row.fixed is not None:
            _check_fixed(row, number, found, account)
        else:
            _check_devices(world, project, row, number, found, state, seen, account)
    account.wrong += [("twice", f"there is no row {number}, but a result") for number in told]
    return account


def check_releases(told: Told, claimed: list[int]) -> Account:
    """A revert gives back each device of its parent, unless its prepaid time runs."""
    account = Account()
    found = {number: outcome for results in told.values() for number, outcome in results}
    account.released = [number for number, outcome in found.items() if number is not None and outcome == "released"]
    kept = {number for number, outcome in found.items() if outcome == "already_active"}
    strange = set(claimed).symmetric_difference(found)
    account.wrong += [("lost", f"a revert says nothing, or too much, of {number}") for number in strange]
    account.wrong += [
        ("lost", f"a revert says of {number}: {found[number]}")
        for number in set(claimed) - set(account.released) - kept - strange
    ]
    return account


def _check_fixed(row: Row, number: int, found: list[tuple[int | None, str]], account: Account) -> None:
    if not found:
        account.wrong.append(("lost", f"row {number} has no outcome"))
    elif len(found) > 1:
        account.wrong.append(("twice", f"row {number} has {found}"))
    elif found[0][1] != row.fixed:
        account.wrong.append(("unexpected", f"row {number} has {found}, not {row.fixed}"))


def _check_devices(
    world: World,
    project: int,
    row: Row,
    number: int,
    found: list[tuple[int | None, str]],
    state: str,
    seen: set[int],
    account: Account,
) -> None:
    if row.coded and [device for device, _ in found] == [None]:
        found = [(row.devices[0], found[0][1])]
    devices = sorted(device for device, _ in found if device is not None)
    if devices != sorted(row.devices):
        how = "twice" if len(devices) > len(row.devices) else "lost"
        account.wrong.append((how, f"row {number} of {row.devices[:2]}… has {found[:2]}…, {len(found)} results"))
        return
    for device, outcome in found:
        assert device is not None
        if outcome not in _possible(world, project, row, device, state, seen):
            account.wrong.append(("unexpected", f"device {device} in row {number} of a {state} batch is {outcome}"))
        if outcome == "claimed":
            account.claimed.append(device)
        seen.add(device)


def _possible(world: World, project: int, row: Row, device: int, state: str, seen: set[int]) -> set[str]:
    if device in seen:
        return {"duplicate"} | ({"not_processed"} if state == "cancelled" else set())
    if world.holds(project, device):
        return {"already_yours"} | ({"not_processed"} if state == "cancelled" else set())
    return _NEW[state] | ({"not_found"} if row.coded else set())


def _number(device: str | None) -> int | None:
    """None also for what a row says that names no device."""
    with suppress(ValueError):
        return number_of(device or "")
    return None
